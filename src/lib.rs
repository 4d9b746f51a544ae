//! Registers, keeps and renews self-hosted GitHub Actions runners on NixOS.
//!
//! The folder of a file says with whose rights its code runs:
//!
//! * `root`: steps of a runner's unit, as root, in directories that hostile jobs own. They start nothing and have no network.
//! * `user`: steps of the same unit as the service user, in its sandbox. They start the listener and never see the ledger.
//! * `broker`: one process for each connection, which may ask it several questions, in a sandbox of its own. With `github` and
//!   `http` it alone reaches the network.
//! * `frontend` runs as the user of gitlab-runner, which is given a job's words and has no privileges. It asks `machines`.
//!   `frontend::ondemand::door` runs as a user of its own: strangers reach it, and it has nothing but its sockets.
//! * `machines` is in two zones: the supervisor of one job's machine, as root in a unit of its own, and in `machines::nspawn::agent`
//!   the first process of that machine, which runs among hostile jobs and is not believed.
//! * `survey` looks at the whole host. `reconcile` changes it; `status` and `doctor` only tell. `doctor::explain` runs an
//!   operator's command in copies of a runner's sandbox.
//!
//! What they share lies in the other folders: checked values in `model`, texts between programs in `contract`, handles of
//! directories in `sys`, what root remembers in `ledger`, what a runner's directories hold in `state`, and the rules for
//! registrations in `registration`.
//!
//! The table has a row for each folder, and for a part of one whose rules are stricter. A module uses what its row names,
//! which stands above it, and does by itself what the last column says and nothing else; `pure` is nothing at all. What
//! nobody uses or does is not in a row: `tests/helper/architecture` compares both ways.
//!
//! | module | may use | does itself |
//! | --- | --- | --- |
//! | `model` | | pure |
//! | `contract` | `model` | pure |
//! | `sys` | | files, writing, mounts, clock, environment |
//! | `ledger` | `model`, `contract::manifest`, `sys` | writing, clock |
//! | `state` | `model`, `contract::manifest`, `sys` | files, writing, clock |
//! | `user` | `model`, `contract::manifest`, `sys`, `state` | files, writing, processes, clock, environment |
//! | `registration::plan` | `model`, `contract::manifest`, `ledger`, `state` | pure |
//! | `registration::pace` | `ledger` | pure |
//! | `registration::dependence` | `contract::protocol`, `ledger` | pure |
//! | `registration::ask` | `model`, `contract`, `ledger`, `registration::dependence` | sockets, clock |
//! | `registration` | `model`, `contract`, `sys`, `ledger`, `state`, `registration::ask`, `registration::pace` | files, writing, clock |
//! | `root::settle::unit` | `model`, `contract::names`, `sys` | processes, environment |
//! | `root::release` | `model`, `contract::protocol`, `ledger`, `state::start`, `registration` | writing, clock, environment |
//! | `root` | `model`, `contract`, `sys`, `ledger`, `state`, `registration`, `root::settle::unit` | files, writing, clock, environment |
//! | `http::roots` | `model` | network, certificates |
//! | `http::socket` | | network, sockets, clock |
//! | `http` | `contract::protocol`, `http::roots`, `http::socket` | network, environment |
//! | `github` | `model`, `contract::audience`, `contract::protocol`, `contract::workflow`, `http` | |
//! | `units::drop_ins` | | files |
//! | `units::door` | `contract::names` | files, writing, processes, sockets |
//! | `units` | `contract::names`, `sys` | files, writing, processes |
//! | `broker::shared` | | files, writing, environment |
//! | `broker` | `model`, `contract`, `ledger`, `state::start`, `http`, `github`, `units::drop_ins`, `broker::shared` | files, clock, environment |
//! | `survey::memory` | `model`, `contract::manifest`, `sys` | writing |
//! | `survey::transient` | `model`, `contract::manifest`, `units` | files, writing, environment |
//! | `survey` | `model`, `contract`, `sys`, `ledger`, `state::start`, `registration`, `units`, `survey::memory` | files |
//! | `reconcile::plan` | `contract`, `ledger`, `survey`, `units` | pure |
//! | `reconcile` | `model`, `contract`, `sys`, `ledger`, `state::start`, `registration`, `root::prepare::foresee`, `survey`, `units`, `reconcile::plan` | writing, clock |
//! | `machines` | | pure |
//! | `machines::ec2` | `model`, `contract::cloud`, `contract::protocol`, `http` | pure |
//! | `broker::cloud` | `model`, `contract`, `http`, `machines::ec2`, `broker` | files, environment |
//! | `machines::incus` | `machines`, `model`, `http` | files, clock |
//! | `machines::nspawn::protocol` | `machines` | pure |
//! | `machines::nspawn::wire` | `machines::nspawn::protocol` | sockets |
//! | `machines::nspawn::settings` | `sys`, `machines::nspawn::protocol` | |
//! | `machines::nspawn::record` | `sys` | |
//! | `machines::nspawn::client` | `machines`, `machines::nspawn::protocol`, `machines::nspawn::record`, `machines::nspawn::wire` | files, clock |
//! | `machines::nspawn::agent` | `machines::nspawn::protocol`, `machines::nspawn::wire` | files, writing, processes, clock |
//! | `machines::nspawn` | `machines`, `sys`, `machines::nspawn::protocol`, `machines::nspawn::record`, `machines::nspawn::settings`, `machines::nspawn::wire` | files, writing, mounts, processes, sockets, clock, environment |
//! | `frontend::garm` | `model`, `machines` | files |
//! | `frontend::fleet` | `model`, `contract::openmetrics`, `contract::protocol` | pure |
//! | `frontend::fleet::pass` | `model`, `contract::protocol`, `http`, `registration::credential`, `sys`, `frontend::fleet` | writing, clock |
//! | `frontend::ondemand` | `model`, `contract::protocol` | pure |
//! | `frontend::ondemand::book` | `ledger`, `sys`, `frontend::ondemand` | writing |
//! | `frontend::ondemand::door` | `model`, `contract::protocol`, `frontend::ondemand::label`, `frontend::ondemand::order`, `frontend::ondemand::refusal`, `frontend::ondemand::source`, `frontend::ondemand::wire` | pure |
//! | `frontend::ondemand::door::places` | `frontend::ondemand::source` | clock |
//! | `frontend::ondemand::door::ask` | `frontend::ondemand::wire` | sockets, clock |
//! | `frontend::ondemand::door::serve` | `frontend::ondemand::label`, `frontend::ondemand::door` | sockets, clock |
//! | `frontend::ondemand::proof` | `model`, `contract::workflow`, `frontend::ondemand` | pure |
//! | `frontend::ondemand::settings` | `model`, `frontend::ondemand`, `frontend::ondemand::proof` | pure |
//! | `frontend::ondemand::kind` | `model`, `machines`, `frontend::ondemand`, `frontend::ondemand::settings` | pure |
//! | `frontend::ondemand::kind::cloud` | `contract::cloud`, `contract::names`, `machines`, `frontend::ondemand` | sockets |
//! | `frontend::ondemand::kind::request` | `contract::cloud`, `machines`, `state::start`, `sys` | writing |
//! | `frontend::ondemand::kind::local` | `model`, `contract::names`, `machines`, `units`, `frontend::ondemand`, `frontend::ondemand::settings`, `frontend::ondemand::kind` | |
//! | `frontend::ondemand::kind::user_data` | `state`, `registration::jit`, `frontend::ondemand::settings`, `frontend::ondemand::kind` | pure |
//! | `frontend::ondemand::kind::material` | `machines`, `sys`, `registration::jit`, `frontend::ondemand::kind` | |
//! | `frontend::ondemand::kind::ec2` | `machines`, `contract`, `frontend::ondemand`, `frontend::ondemand::settings`, `frontend::ondemand::kind` | clock |
//! | `frontend::ondemand::kind::incus` | `machines`, `machines::incus`, `frontend::ondemand`, `frontend::ondemand::settings`, `frontend::ondemand::kind` | |
//! | `frontend::ondemand::kind::nspawn` | `machines`, `machines::nspawn::client`, `model`, `frontend::ondemand`, `frontend::ondemand::settings`, `frontend::ondemand::kind` | |
//! | `frontend::ondemand::overview` | `frontend::ondemand`, `frontend::ondemand::settings` | pure |
//! | `frontend::ondemand::figures` | `contract::openmetrics`, `frontend::ondemand`, `frontend::ondemand::proof`, `frontend::ondemand::settings` | pure |
//! | `frontend::ondemand::operate` | `model`, `state::start`, `sys`, `frontend::ondemand`, `frontend::ondemand::book`, `frontend::ondemand::door::ask`, `frontend::ondemand::settings` | writing, sockets, clock |
//! | `frontend::ondemand::listing` | `model`, `frontend::ondemand`, `frontend::ondemand::operate` | pure |
//! | `frontend::ondemand::desk` | `model`, `contract`, `sys`, `ledger`, `state::start`, `registration`, `survey::transient`, `machines`, `frontend::ondemand`, `frontend::ondemand::book`, `frontend::ondemand::kind`, `frontend::ondemand::operate`, `frontend::ondemand::proof`, `frontend::ondemand::settings` | files, writing, processes, sockets, clock, environment |
//! | `frontend` | `model`, `machines` | files, writing, environment |
//! | `status` | `model`, `contract`, `ledger`, `state::start`, `registration::credential`, `survey`, `units`, `frontend::ondemand` | clock, environment |
//! | `doctor::explain` | `model`, `contract`, `survey` | files, writing, processes |
//! | `doctor` | `machines`, `model`, `contract`, `sys`, `ledger`, `state::start`, `registration`, `root::leftovers`, `root::prepare::foresee`, `survey`, `units`, `frontend::ondemand` | files, sockets, clock, environment |
//! | `doctor::fleet` | `machines::incus`, `frontend::fleet`, `doctor` | processes |
//! | `cli::journal` | `model` | environment |
//! | `cli::machines` | `machines`, `cli::journal` | environment |
//! | `cli::door` | `frontend::ondemand::label`, `frontend::ondemand::door`, `cli::journal` | environment |
//! | `cli::garm` | `model`, `frontend::garm` | environment |
//! | `cli::gitlab` | `frontend`, `machines`, `cli::machines` | environment |
//! | `cli::helper` | `root`, `state::start`, `user`, `cli::journal` | environment |
//! | `cli` | `machines`, `broker`, `reconcile`, `status`, `doctor`, `survey`, `units`, `frontend::fleet`, `frontend::ondemand`, `cli::journal` | |
//!
//! Each program has a feature. From `github` on, up to `doctor`, everything exists with `ctl` only, but for `machines`, of which
//! `ctl` has what asks for machines of systemd-nspawn and not what makes them; `user`, and what of `root` is no rule that passes
//! or `doctor` foresee, with `helper` only.

#[cfg(feature = "ctl")]
pub mod broker;
pub mod cli;
pub mod contract;
#[cfg(feature = "ctl")]
pub mod doctor;
#[cfg(any(feature = "garm", feature = "gitlab", feature = "on-demand"))]
pub mod frontend;
#[cfg(feature = "ctl")]
pub mod github;
#[cfg(any(feature = "ctl", feature = "garm"))]
pub mod http;
pub mod ledger;
#[cfg(any(feature = "ctl", feature = "garm", feature = "gitlab"))]
pub mod machines;
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
#[cfg(feature = "helper")]
pub mod user;

// Doubles that the tests of the built programs use as well, under the name that the library has for them.
#[cfg(all(test, feature = "ctl"))]
extern crate self as github_runners;
#[cfg(all(test, feature = "ctl"))]
#[allow(dead_code, clippy::unwrap_used, reason = "as in all tests, and others use more of it")]
#[path = "../tests/support/broker.rs"]
mod fake_broker;
#[cfg(all(test, feature = "ctl"))]
#[allow(dead_code, clippy::unwrap_used, reason = "as in all tests, and others use more of it")]
#[path = "../tests/support/units.rs"]
mod fake_units;
#[cfg(all(test, any(feature = "ctl", feature = "garm")))]
#[allow(clippy::expect_used, reason = "as in all tests")]
#[path = "../tests/stand-ins/incus/mod.rs"]
mod stand_in_incus;
#[cfg(all(test, any(feature = "ctl", feature = "garm")))]
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../tests/support/times.rs"]
mod times;
#[cfg(all(test, any(feature = "ctl", feature = "garm")))]
#[path = "../tests/support/wait.rs"]
mod wait;
