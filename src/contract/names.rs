//! The names of all units, which the NixOS module gives and the programs ask systemd for, and where their definitions are.
//!
//! Nobody else builds one. A name is an interface: people write it into their own units and alerts.

use crate::model::InstanceName;

/// Where NixOS and administrators put units and their drop-ins; see systemd.unit(5). What is in the first one counts.
pub const DIRECTORIES: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];

/// What starts passes.
pub const PASS_TIMER: &str = "github-runner-reconcile.timer";

/// What makes one.
pub const PASS: &str = "github-runner-reconcile.service";

/// The unit of a runner as people write it.
#[must_use]
pub fn runner_stem(instance: &InstanceName) -> String {
    format!("github-runner-{}", instance.as_str())
}

/// The unit of a runner.
#[must_use]
pub fn runner(instance: &InstanceName) -> String {
    format!("{}.service", runner_stem(instance))
}

/// The socket of a runner's broker.
#[must_use]
pub fn broker_socket(instance: &InstanceName) -> String {
    format!("{}.socket", broker_stem(instance))
}

/// The template of a runner's broker. systemd makes a service of it for each `connection`; without
/// one it is the template itself.
#[must_use]
pub fn broker(instance: &InstanceName, connection: &str) -> String {
    format!("{}@{connection}.service", broker_stem(instance))
}

/// All brokers of a runner, as `journalctl --unit` takes it.
#[must_use]
pub fn brokers(instance: &InstanceName) -> String {
    format!("{}@*", broker_stem(instance))
}

fn broker_stem(instance: &InstanceName) -> String {
    format!("github-runner-broker-{}", instance.as_str())
}
