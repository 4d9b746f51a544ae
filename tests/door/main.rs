//! The door: claims about the built program, with a desk of the test.
