//! What `doctor` promises: it names the fault and the way out, foretells the next start, and changes nothing.
//!
//! The starts that it foretells are made by the built helper on the same directories.

mod audience;
mod faults;
mod ondemand;
mod practice;
mod program;
mod starts;
