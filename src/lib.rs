//! Registers, keeps and renews self-hosted GitHub Actions runners on NixOS.
//!
//! Each module may use those named beside it and nothing else of this crate; `tests/architecture.rs` holds the
//! source to this table.
//!
//! | module | may use | must not use |
//! | --- | --- | --- |
//! | `model` | | file system, processes, network, clock, environment |
//! | `contract::manifest` | `model` | the same |
//! | `contract::protocol` | `model` | the same |
//! | `sys` | | knowledge of runners, JSON |
//! | `ledger` | `model`, `contract::manifest`, `sys` | processes, network |
//! | `root::leftovers` | `model` | starting processes, network, writing |
//! | `state` | `model`, `sys` | processes, network, writing |
//! | `state::purge` | `sys`, `state` | processes, network |
//! | `state::logs` | `contract::manifest`, `sys`, `state` | processes, network |
//! | `registration::plan` | `model`, `contract::manifest`, `ledger`, `state` | file system, processes, network, clock, environment |
//! | `state::start` | `contract::manifest`, `sys` | processes, network |
//! | `root::stop` | `model`, `ledger`, `state`, `state::start` | processes, network |
//! | `registration::pace` | `ledger` | the same as `registration::plan` |
//! | `registration::credential` | `model`, `contract::manifest`, `sys` | processes, network, the key of an App |
//! | `registration::secrecy` | `contract::manifest`, `sys` | processes, network, the content of a credential |
//! | `registration::ask` | `model`, `contract::protocol` | processes, network |
//! | `registration::held` | `model`, `contract::manifest`, `contract::protocol`, `registration::pace`, `state::start`, `registration::ask` | processes, network |
//! | `registration::retire` | `model`, `contract::protocol`, `ledger`, `state::start`, `registration::ask` | processes, network |
//! | `registration::attempt` | `model`, `contract::protocol`, `sys`, `ledger`, `state`, `state::start`, `registration::ask`, `registration::retire` | processes, network |
//! | `root::prepare` | `model`, `contract::manifest`, `contract::protocol`, `sys`, `ledger`, `state`, `registration::plan`, `registration::pace`, `state::start`, `registration::credential`, `registration::ask`, `registration::retire`, `registration::attempt`, `state::purge`, `state::logs`, `root::leftovers`, `registration::secrecy`, `root::stop`, `registration::held` | processes, network |
//! | `root::settle` | `model`, `contract::manifest`, `contract::protocol`, `sys`, `ledger`, `state`, `state::start`, `registration::credential`, `registration::ask`, `registration::retire`, `registration::attempt`, `state::purge`, `state::logs`, `registration::held` | processes, network |
//! | `root::record` | `model`, `contract::manifest`, `sys`, `ledger`, `state`, `state::start`, `root::leftovers`, `root::stop` | processes, network |
//! | `root::release` | `contract::protocol`, `ledger`, `state::start`, `registration::credential`, `registration::ask`, `registration::retire`, `registration::held` | processes, network, writing |
//! | `user` | `model`, `contract::manifest`, `sys`, `state`, `state::start` | the ledger, root |
//! | `cli::journal` | `model` | everything but standard error |
//! | `cli::helper` | all | |
//! | `github` | `model`, `contract::protocol` | file system (but for the system's certificates), processes |
//! | `units::drop_ins` | | everything but reading what systemd reads |
//! | `broker` | `model`, `contract::manifest`, `contract::protocol`, `ledger`, `state::start`, `github`, `units::drop_ins` | state, work and logs directories, processes |
//! | `contract::fleet` | `model` | file system, processes, network, clock, environment |
//! | `units` | | the network, knowledge of GitHub, ledgers and configurations |
//! | `metrics` | `sys` | knowledge of runners, processes, network |
//! | `reconcile` | `model`, `contract::manifest`, `contract::protocol`, `sys`, `ledger`, `state::start`, `registration::pace`, `registration::credential`, `registration::ask`, `registration::held`, `registration::retire`, `registration::attempt`, `contract::fleet`, `units`, `metrics` | processes (but by `units`), network |
//! | `status` | `model`, `contract::manifest`, `contract::protocol`, `ledger`, `state::start`, `registration::credential`, `contract::fleet`, `units`, `reconcile` | writing, processes (but by `units`), network |
//! | `doctor` | `model`, `contract::manifest`, `contract::protocol`, `sys`, `ledger`, `registration::plan`, `registration::pace`, `state::start`, `registration::credential`, `registration::ask`, `registration::retire`, `root::prepare`, `root::leftovers`, `contract::fleet`, `units`, `reconcile`, `registration::secrecy`, `units::drop_ins` | processes (but by `units`), network, writing |
//! | `cli::ctl` | all | |
//!
//! The last ones, from `github` on, exist with the feature `cli::ctl` only, and nothing above them may use them.

#[cfg(feature = "ctl")]
pub mod broker;
pub mod cli;
pub mod contract;
#[cfg(feature = "ctl")]
pub mod doctor;
#[cfg(feature = "ctl")]
pub mod github;
pub mod ledger;
pub mod model;
#[cfg(feature = "ctl")]
pub mod reconcile;
pub mod registration;
pub mod root;
pub mod state;
#[cfg(feature = "ctl")]
pub mod status;
#[cfg(feature = "ctl")]
pub mod survey;
pub mod sys;
#[cfg(feature = "ctl")]
pub mod units;
pub mod user;
