//! The names of all units, which the NixOS module gives and the programs ask systemd for, and where their definitions are.
//!
//! Nobody else builds one. A name is an interface: people write it into their own units and alerts.

use sha2::{Digest as _, Sha256};

use crate::model::{InstanceName, hex};

/// Where NixOS and administrators put units and their drop-ins; see systemd.unit(5). What is in the first one counts.
pub const DIRECTORIES: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];

/// What starts passes.
pub const PASS_TIMER: &str = "github-runner-reconcile.timer";

/// What makes one.
pub const PASS: &str = "github-runner-reconcile.service";

/// What decides about orders of runners; ends by itself when there are none.
pub const DESK: &str = "github-runner-on-demand.service";

/// What starts it when somebody asks.
pub const DESK_SOCKET: &str = "github-runner-on-demand.socket";

/// What starts it from time to time.
pub const DESK_TIMER: &str = "github-runner-on-demand.timer";

/// What strangers reach.
pub const DOOR_SOCKET: &str = "github-runner-door.socket";

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

/// The units of a runner's engine of containers, which has some only if its jobs have one that is not the host's.
#[must_use]
pub fn containers(instance: &InstanceName) -> [String; 2] {
    ["service", "socket"].map(|kind| format!("github-runner-containers@{}.{kind}", instance.as_str()))
}

/// How the templates of units begin that run the orders of a class; the name of the class follows.
pub const ORDER_TEMPLATES: &str = "github-runner-on-demand-";

/// The units of all orders that this host has run or runs, as `systemctl` takes it.
pub const ORDERS: &str = "github-runner-on-demand-*@*.service";

/// The unit of one order: `template` as the module names it, up to its `@`, and the order's `stem`.
#[must_use]
pub fn order(template: &str, stem: &str) -> String {
    format!("{template}@{stem}.service")
}

/// Template and stem of a unit that [`order`] named; `None` for every other name.
#[must_use]
pub fn order_parts(unit: &str) -> Option<(&str, &str)> {
    unit.strip_suffix(".service")?.split_once('@').filter(|(template, _)| template.starts_with(ORDER_TEMPLATES))
}

/// Whether a unit is that of an order of this class, whose manifest calls itself `class`.
#[must_use]
pub fn is_order_of(class: &InstanceName, unit: &str) -> bool {
    order_parts(unit).is_some_and(|(template, _)| template == runner_stem(class))
}

/// Unit of the `nth` broker that process `process` began for an instance that has no unit for one.
#[must_use]
pub fn broker_without_unit(process: u32, nth: u32) -> String {
    format!("github-runner-broker-once-{process}-{nth}.service")
}

/// The socket of the broker of a class of a cloud.
#[must_use]
pub fn cloud_broker_socket(class: &str) -> String {
    format!("github-runner-broker-on-demand-cloud-{class}.socket")
}

/// What tells a host from all others without telling which one it is, from the text of its machine id. Clouds have it as a tag of what
/// the host makes there.
#[must_use]
pub fn on_demand_host(machine_id: &str) -> String {
    hex(&Sha256::digest(format!("github-runner-on-demand {}", machine_id.trim())))
}

fn broker_stem(instance: &InstanceName) -> String {
    format!("github-runner-broker-{}", instance.as_str())
}
