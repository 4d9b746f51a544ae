//! Programs that ask for machines on behalf of somebody's job: one folder for each kind of asker.
//!
//! A front end knows what its asker wants and never how a machine is made. Front ends do not know each other.

#[cfg(feature = "ctl")]
pub mod fleet;
#[cfg(feature = "garm")]
pub mod garm;
#[cfg(feature = "gitlab")]
pub mod gitlab;
#[cfg(feature = "on-demand")]
pub mod ondemand;
