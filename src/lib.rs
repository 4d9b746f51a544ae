//! Registers, keeps and renews self-hosted GitHub Actions runners on NixOS.
//!
//! Each module may use those named beside it and nothing else of this crate; `tests/architecture.rs` holds the
//! source to this table.
//!
//! | module | may use | must not use |
//! | --- | --- | --- |
//! | `model` | | file system, processes, network, clock, environment |
//! | `manifest` | `model` | the same |
//! | `protocol` | `model` | the same |
//! | `sys` | | knowledge of runners, JSON |
//! | `ledger` | `model`, `sys` | processes, network |
//! | `state` | `model`, `sys` | processes, network, writing |
//! | `plan` | `model`, `manifest`, `ledger`, `state` | file system, processes, network, clock, environment |
//! | `start` | `manifest`, `sys` | processes, network |
//! | `prepare` | `model`, `manifest`, `sys`, `ledger`, `state`, `plan`, `start` | processes, network |
//! | `record` | `model`, `manifest`, `sys`, `ledger`, `state`, `start` | processes, network |
//! | `runner` | `model`, `manifest`, `sys`, `state`, `start` | the ledger, root |
//! | `journal` | | everything but standard error |
//! | `cli` | all | |

pub mod cli;
pub mod journal;
pub mod ledger;
pub mod manifest;
pub mod model;
pub mod plan;
pub mod prepare;
pub mod protocol;
pub mod record;
pub mod runner;
pub mod start;
pub mod state;
pub mod sys;
