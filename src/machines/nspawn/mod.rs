//! Machines of systemd-nspawn: one unit, one supervisor, one machine for each job.
//!
//! Who owns what, and who can exchange it:
//!
//! | path | owner, mode | who writes below it |
//! | --- | --- | --- |
//! | `/run/gitlab-nspawn` | root, 0755 | root |
//! | `…/machines.sock` | root and the runner's group, 0660 | nobody; who may connect may ask for machines |
//! | `…/slots` | root, 0700 | root: one link for each range of user ids in use |
//! | `…/jobs/ID` | root and the runner's group, 0710 | root; its lock is the turn of who takes the job away |
//! | `…/jobs/ID/socket` | root and the runner's group, 0660 | nobody; who may connect runs stages |
//! | `…/jobs/ID/user-data` | root, 0600 | nobody; removed once nspawn has handed it to the machine, before anything of the image runs |
//! | `/var/lib/gitlab-nspawn` | root, 0700 | root |
//! | `…/jobs/ID/upper`, `work` | first id of the job's range | **the job**, through the overlay |
//! | cache directory | root, 0700 | root; in it one directory for each project, which **jobs** write |
//!
//! So no path above a directory that a job writes can be exchanged by a job, and below one of those nothing is ever opened
//! by path: what is there is only removed, by handles, see [`crate::sys`].
//!
//! What a job has in its hands is its machine: the agent's connection, three pipes for each stage, and its network
//! interface. The supervisor opens nothing that the machine names, runs nothing that comes from it, and starts no
//! process and no thread after the image's init was started: a job that uses up the tasks or the memory of its unit cannot keep
//! the supervisor from ending it.
//!
//! Who only asks for machines has the client and what it speaks; all of the rest belongs to the program that makes them.

#[cfg(feature = "gitlab")]
pub mod agent;
#[cfg(feature = "gitlab")]
mod arguments;
#[cfg(feature = "gitlab")]
mod cache;
#[cfg(feature = "gitlab")]
pub mod check;
#[cfg(feature = "gitlab")]
mod claim;
#[cfg(feature = "gitlab")]
mod clear;
mod client;
#[cfg(feature = "gitlab")]
pub mod ended;
#[cfg(feature = "gitlab")]
mod group;
#[cfg(feature = "gitlab")]
mod image;
#[cfg(feature = "gitlab")]
pub mod inner;
#[cfg(feature = "gitlab")]
mod layers;
#[cfg(feature = "gitlab")]
mod network;
#[cfg(feature = "gitlab")]
mod notify;
pub mod protocol;
#[cfg(feature = "gitlab")]
mod range;
mod record;
#[cfg(feature = "gitlab")]
mod settings;
#[cfg(feature = "gitlab")]
pub mod supervise;
#[cfg(feature = "gitlab")]
pub mod units;
pub mod wire;

pub use client::{Client, Stage, Streams};
#[cfg(feature = "gitlab")]
pub use notify::Watchdog;
pub use protocol::{Answer, Gone, LONGEST_GRACE, LONGEST_STAGE, RUN_DIRECTORY};
#[cfg(feature = "gitlab")]
pub use settings::FILE as SETTINGS;
#[cfg(feature = "gitlab")]
pub use settings::read as read_settings;
#[cfg(feature = "gitlab")]
pub use settings::{CacheStore, Devices, Image, Limits, Network, NetworkMode, Ports, Settings, Source};
