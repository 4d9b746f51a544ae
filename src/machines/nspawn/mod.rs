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

pub mod agent;
mod arguments;
mod cache;
pub mod check;
mod claim;
mod clear;
mod client;
pub mod ended;
mod group;
mod image;
pub mod inner;
mod layers;
mod network;
mod notify;
mod protocol;
mod range;
mod record;
mod settings;
pub mod supervise;
pub mod units;
mod wire;

pub use client::{Client, Stage, Streams};
pub use notify::Watchdog;
pub use protocol::{Answer, Gone, LONGEST_GRACE, LONGEST_STAGE};
pub use settings::FILE as SETTINGS;
pub use settings::read as read_settings;
pub use settings::{CacheStore, Devices, Image, Limits, Network, NetworkMode, Ports, Settings, Source};
