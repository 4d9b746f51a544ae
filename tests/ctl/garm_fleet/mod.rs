//! What is claimed about `github-runnerctl fleet`, against a stand-in of GARM.

mod commands;
mod doctor;
mod faults;
mod harness;
mod passes;
