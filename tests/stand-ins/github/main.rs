//! Stand-in, under construction.

fn main() {}
