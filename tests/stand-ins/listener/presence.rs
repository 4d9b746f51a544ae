//! What a running listener lets GitHub know: that it is there, busy, or done.
//!
//! The real one does this through the broker. Here it is the control interface of the
//! GitHub stand-in, so that a deleted registration is noticed at the next start, a busy
//! runner cannot be deleted, and an ephemeral one is gone after its job. Without a
//! GitHub, or with one that cannot be reached, nothing happens.

use serde_json::{Value, json};
use ureq::Agent;

use super::{files::Settings, start::Start};

/// The connection of one registered runner.
pub struct Presence {
    base: Option<String>,
    agent: Agent,
}

impl Presence {
    /// Of the runner that `settings` describe.
    pub fn new(start: &Start, settings: &Settings) -> Self {
        let agent = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(crate::times::HANGS))
            .build()
            .into();
        let github = start.script.github.as_ref();
        let id = settings.agent_id;
        Self { base: github.map(|base| format!("{}/_stand-in/runners/{id}", base.trim_end_matches('/'))), agent }
    }

    /// Comes online; false if GitHub knows no such runner any more.
    pub fn online(&self) -> bool {
        self.report("status", &json!("online")) != Some(404)
    }

    /// Goes offline.
    pub fn offline(&self) {
        self.report("status", &json!("offline"));
    }

    /// Begins or ends a job.
    pub fn busy(&self, busy: bool) {
        self.report("busy", &json!(busy));
    }

    /// An ephemeral runner has done its job, and GitHub forgets it.
    pub fn done(&self) {
        if let Some(base) = &self.base {
            // Nobody to tell is as good as told.
            _ = self.agent.delete(base).call();
        }
    }

    fn report(&self, field: &str, value: &Value) -> Option<u16> {
        let address = format!("{}/{field}", self.base.as_ref()?);
        let answer = self.agent.post(&address).send_json(value).ok()?;
        Some(answer.status().as_u16())
    }
}
