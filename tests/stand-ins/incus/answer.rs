//! The frames of answers, with their statuses.

use serde_json::{Value, json};

use super::Flavor;
use super::operation::Operation;

/// A status and a body.
pub type Answer = (u16, Value);

/// What was asked for.
pub fn sync(metadata: Value) -> Answer {
    let mut body = json!({
        "type": "sync", "status": "Success", "status_code": 200, "operation": "", "error_code": 0, "error": "",
    });
    body["metadata"] = metadata;
    (200, body)
}

/// A refusal.
pub fn error(code: u16, text: &str) -> Answer {
    (
        code,
        json!({"type": "error", "status": "", "status_code": 0, "operation": "", "error_code": code, "error": text, "metadata": null}),
    )
}

/// An operation that has begun.
pub fn begun(operation: &Operation) -> Answer {
    let body = json!({
        "type": "async", "status": "Operation created", "status_code": 100, "error_code": 0, "error": "",
        "operation": format!("/1.0/operations/{}", operation.id), "metadata": told(operation),
    });
    (202, body)
}

/// An operation.
pub fn told(operation: &Operation) -> Value {
    let (status, code, err) = match &operation.ended {
        None => ("Running", 103, ""),
        Some((_, Ok(()))) => ("Success", 200, ""),
        Some((_, Err(why))) => ("Failure", 400, why.as_str()),
    };
    json!({
        "id": operation.id, "class": "task", "description": operation.description, "status": status, "status_code": code,
        "resources": {"instances": [format!("/1.0/instances/{}?project={}", operation.name, operation.project)]},
        "metadata": null, "may_cancel": false, "err": err, "location": "none",
    })
}

/// The end of a wait for an operation that failed. With Incus the head of the answer was sent before.
pub fn failed(flavor: Flavor, operation: &Operation, why: &str) -> Answer {
    match flavor {
        Flavor::Lxd => sync(told(operation)),
        Flavor::Incus => (200, error(500, why).1),
    }
}

/// The end of a wait for an operation that goes on.
pub fn waited(flavor: Flavor, operation: &Operation) -> Answer {
    match flavor {
        Flavor::Lxd => sync(told(operation)),
        Flavor::Incus => (200, error(500, "context deadline exceeded").1),
    }
}
