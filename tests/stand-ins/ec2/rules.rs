//! What goes wrong, as tests say it.

use serde::{Deserialize, Serialize};

use super::form::Form;
use super::refusal::Refusal;

/// Requests that are treated in another way, while it is not used up.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Rule {
    /// Such as `RunInstances`; empty for any.
    pub action: String,
    /// The code of the refusal, or of the reason why an instance goes again.
    pub code: String,
    /// The status of the refusal, if it is not the usual one of the code.
    pub status: Option<u16>,
    /// `spot` or `on-demand`, if it is about one of them.
    pub market: Option<String>,
    /// If it is about one type.
    pub instance_type: Option<String>,
    /// If it is about one subnet.
    pub subnet: Option<String>,
    /// If it is only about requests with `DryRun`, or only about those without.
    pub dry_run: Option<bool>,
    /// How often.
    pub times: u32,
    /// What happens.
    pub answer: Then,
}

/// What happens in place of what should.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Then {
    /// Nothing is done.
    #[default]
    Refuse,
    /// It is done, and the connection breaks before the answer.
    Lost,
    /// Nothing is done, and the connection breaks.
    LostRequest,
    /// Nothing is done, and the answer is a page for people.
    Html500,
    /// It is done, and the answer comes so many milliseconds later.
    Delay(u64),
    /// The instance is made, and is over at once.
    CapacityLater,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            action: String::new(),
            code: String::new(),
            status: None,
            market: None,
            instance_type: None,
            subnet: None,
            dry_run: None,
            times: 1,
            answer: Then::Refuse,
        }
    }
}

impl Rule {
    /// Refuses the next request of an action with this code.
    pub fn refuse(action: &str, code: &str) -> Self {
        Self { action: action.into(), code: code.into(), ..Self::default() }
    }

    /// Does this with the next request of an action.
    pub fn then(action: &str, answer: Then) -> Self {
        Self { action: action.into(), answer, ..Self::default() }
    }

    /// So many requests.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Only those for a market: `spot` or `on-demand`.
    pub fn market(self, market: &str) -> Self {
        Self { market: Some(market.into()), ..self }
    }

    /// Only those for a subnet.
    pub fn subnet(self, subnet: &str) -> Self {
        Self { subnet: Some(subnet.into()), ..self }
    }

    /// Whether it is about a request.
    fn fits(&self, action: &str, form: &Form) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
        let market = form.get("InstanceMarketOptions.MarketType").unwrap_or("on-demand");
        let subnet = form.get("SubnetId").or_else(|| form.get("NetworkInterface.1.SubnetId"));
        let is_dry = form.get("DryRun") == Some("true");
        self.times > 0
            && (self.action.is_empty() || self.action == action)
            && is(&self.market, Some(market))
            && is(&self.instance_type, form.get("InstanceType"))
            && is(&self.subnet, subnet)
            && self.dry_run.is_none_or(|dry| dry == is_dry)
    }

    /// Its refusal.
    pub fn refusal(&self) -> Refusal {
        let code = if self.code.is_empty() { "InternalError" } else { &self.code };
        let status = self.status.unwrap_or(match code {
            "InternalError" | "InternalFailure" | "ServerInternal" | "InsufficientInstanceCapacity" => 500,
            "RequestLimitExceeded" | "Unavailable" | "ServiceUnavailable" => 503,
            "UnauthorizedOperation" => 403,
            "AuthFailure" => 401,
            _ => 400,
        });
        Refusal::new(status, code, "The stand-in was told to refuse this")
    }

    /// Why an instance goes again.
    pub fn reason(&self) -> &str {
        if self.code.is_empty() { "Server.InsufficientInstanceCapacity" } else { &self.code }
    }
}

/// The first rule for a request; it is used for it.
pub fn take(rules: &mut Vec<Rule>, action: &str, form: &Form) -> Option<Rule> {
    let rule = rules.iter_mut().find(|rule| rule.fits(action, form))?;
    rule.times -= 1;
    let taken = rule.clone();
    rules.retain(|rule| rule.times > 0);
    Some(taken)
}
