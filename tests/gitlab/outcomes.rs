//! What GitLab is told of jobs, and jobs with more than a script.

use serde_json::{Value, json};

use crate::gitlab::Ended;

pub fn success() -> Ended {
    Ended { state: "success".into(), reason: String::new(), exit_code: 0 }
}

pub fn script_failure(exit_code: i64) -> Ended {
    Ended { state: "failed".into(), reason: "script_failure".into(), exit_code }
}

pub fn system_failure() -> Ended {
    Ended { state: "failed".into(), reason: "runner_system_failure".into(), exit_code: 0 }
}

pub fn with_after_script(mut job: Value, script: &[&str]) -> Value {
    let after =
        json!({"name": "after_script", "script": script, "timeout": 300, "when": "always", "allow_failure": true});
    job["steps"].as_array_mut().unwrap().push(after);
    job
}

pub fn with_variable(mut job: Value, key: &str, value: &str) -> Value {
    job["variables"].as_array_mut().unwrap().push(json!({"key": key, "value": value}));
    job
}
