//! `GetQuota` of Service Quotas, which speaks JSON.

use serde_json::{Value, json};

use super::refusal::{Refusal, Result};
use super::state::State;

/// The header that names the action.
pub const TARGET: &str = "x-amz-target";
/// Its only value here.
pub const GET: &str = "ServiceQuotasV1_20190624.GetServiceQuota";

/// Answers a question for a quota.
pub fn get(state: &State, body: &[u8]) -> Result<String> {
    let asked: Value =
        serde_json::from_slice(body).map_err(|_| Refusal::bad("SerializationException", "The body is no JSON"))?;
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    let code = text("QuotaCode");
    if state.quotas_refused {
        let text = "User is not authorized to perform: servicequotas:GetServiceQuota";
        return Err(Refusal::bad("AccessDeniedException", text));
    }
    match state.quotas.get(&code).filter(|_| text("ServiceCode") == "ec2") {
        Some(value) => {
            let name = format!("The quota {code} of the stand-in");
            Ok(json!({"Quota": {
                "ServiceCode": "ec2", "QuotaCode": code, "QuotaName": name, "Value": value, "Unit": "None",
                "Adjustable": true, "GlobalQuota": false,
            }})
            .to_string())
        }
        None => Err(Refusal::bad("NoSuchResourceException", format!("There is no quota {code}"))),
    }
}
