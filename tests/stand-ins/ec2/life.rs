//! The lives of instances: what changes by itself, by a request, and by the machine.

use super::instance::{Condition, Instance};
use super::state::{Event, State};

/// Ended by a request.
const BY_USER: (&str, &str) = ("Client.UserInitiatedShutdown", "User initiated shutdown");
/// Ended by the machine.
const BY_ITSELF: (&str, &str) = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown");
/// Taken away.
const INTERRUPTED: (&str, &str) = ("Server.SpotInstanceTermination", "Spot instance termination");

impl State {
    /// A request to list instances looks: whatever has come to its time is seen now.
    pub(super) fn look(&mut self) {
        let Self { start, end, is_booted, .. } = *self;
        for instance in &mut self.instances {
            match instance.condition {
                Condition::Pending if !is_booted && start.is_over(instance.looks, instance.since) => {
                    instance.become_(Condition::Running, None);
                }
                Condition::ShuttingDown if !is_booted && end.is_over(instance.looks, instance.since) => {
                    instance.become_(Condition::Terminated, None);
                }
                _ => {}
            }
        }
    }

    /// After everything was looked at.
    pub(super) fn looked(&mut self) {
        for instance in &mut self.instances {
            instance.looks = instance.looks.saturating_add(1);
            instance.age = instance.age.saturating_add(1);
        }
    }

    /// Whether requests see an instance: not yet, or not any more.
    pub(super) fn is_shown(&self, instance: &Instance) -> bool {
        self.lag.is_over(instance.age, instance.launched)
            && !(instance.is_over() && instance.since.elapsed() >= self.kept)
    }

    /// Ends an instance by a request.
    pub(super) fn terminate(&mut self, id: &str) {
        self.wind_up(id, BY_USER);
    }

    /// Takes a spot instance away; whether there was one that stood.
    pub fn interrupt(&mut self, id: &str) -> bool {
        self.instance(id).is_some_and(|instance| instance.is_spot) && self.wind_up(id, INTERRUPTED)
    }

    fn wind_up(&mut self, id: &str, reason: (&str, &str)) -> bool {
        let Some(instance) = self.instance_mut(id) else { return false };
        if matches!(instance.condition, Condition::ShuttingDown | Condition::Terminated) {
            return false;
        }
        instance.become_(Condition::ShuttingDown, Some(reason));
        self.release(id);
        self.tell(Event::Ending(id.into()));
        true
    }

    /// The machine of an instance has started.
    pub fn has_started(&mut self, id: &str) {
        if let Some(instance) = self.instance_mut(id).filter(|instance| instance.condition == Condition::Pending) {
            instance.become_(Condition::Running, None);
        }
    }

    /// The machine of an instance is off: by itself, or because it had to.
    pub fn has_ended(&mut self, id: &str) {
        let Some(instance) = self.instance_mut(id) else { return };
        match instance.condition {
            Condition::Pending | Condition::Running if instance.shutdown == "terminate" => {
                instance.become_(Condition::Terminated, Some(BY_ITSELF));
                self.release(id);
            }
            Condition::Pending | Condition::Running => instance.become_(Condition::Stopped, Some(BY_ITSELF)),
            Condition::ShuttingDown => instance.become_(Condition::Terminated, None),
            Condition::Stopped | Condition::Terminated => {}
        }
    }

    /// An instance is over before it was anything.
    pub fn has_failed(&mut self, id: &str, code: &str, message: &str) {
        let Some(instance) = self.instance_mut(id).filter(|instance| !instance.is_over()) else { return };
        let was_ending = instance.condition == Condition::ShuttingDown;
        instance.become_(Condition::Terminated, Some((code, message)));
        if !was_ending {
            self.release(id);
        }
    }

    /// Gives the address of an instance back.
    fn release(&mut self, id: &str) {
        let Some(subnet) = self.instance(id).map(|instance| instance.subnet.clone()) else { return };
        if let Some(subnet) = self.subnets.iter_mut().find(|known| known.id == subnet) {
            subnet.free += 1;
        }
    }
}
