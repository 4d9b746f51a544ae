//! The program that runner units start before the runner itself.

fn main() {}
