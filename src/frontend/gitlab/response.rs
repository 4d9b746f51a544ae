//! The job as GitLab sent it: the file `JOB_RESPONSE_FILE`, which gitlab-runner wrote and no job can change.
//!
//! Strict on the few values that are used, and blind to everything else, whose keys come and go with versions of GitLab. Scripts
//! and variables in it can be as large as somebody likes, so the file is read as a stream and those are never kept.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::machines::{Cache, Token};

/// What is larger was made to hurt: GitLab itself takes configurations of at most a few MiB.
const MAX_SIZE: u64 = 256 << 20;

/// The timeout of a job that names none, as gitlab-runner has it.
const DEFAULT_TIMEOUT: u64 = 7_200;

/// What the driver needs to know of a job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The job's number, which names its machine.
    pub job: Token,
    /// Whose cache it may use.
    pub cache: Cache,
    /// The name after `image:`, as it was written.
    pub image: Option<String>,
    /// How long the whole job may take.
    pub timeout: Duration,
    /// How many `services:` it wants.
    pub services: usize,
    /// Whether it has `run:` in place of a script.
    pub has_steps: bool,
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    job_info: JobInfo,
    #[serde(default)]
    git_info: GitInfo,
    #[serde(default)]
    runner_info: RunnerInfo,
    #[serde(default)]
    image: Option<Image>,
    #[serde(default)]
    services: Option<Vec<IgnoredAny>>,
    /// A list here, and a list in a text where GitLab sends it.
    #[serde(default)]
    run: Option<Steps>,
}

#[derive(Deserialize)]
struct JobInfo {
    project_id: u64,
}

#[derive(Default, Deserialize)]
struct GitInfo {
    /// Of GitLab 18.3 and later. What is not said to be protected is not.
    #[serde(default)]
    protected: Option<bool>,
}

#[derive(Default, Deserialize)]
struct RunnerInfo {
    #[serde(default)]
    timeout: u64,
}

#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Steps {
    List(Vec<IgnoredAny>),
    Text(String),
}

impl Response {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is too large, or a value that is used is missing or of another type.
    pub fn read(path: &Path) -> Result<Self> {
        let read = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                bail!("it is no regular file");
            }
            if metadata.len() > MAX_SIZE {
                bail!("it has {} bytes, more than {MAX_SIZE}", metadata.len());
            }
            Self::parse(BufReader::new(file.take(MAX_SIZE)))
        };
        read().with_context(|| format!("Failed to read the job from {}", path.display()))
    }

    /// Reads it from its bytes.
    fn parse(text: impl Read) -> Result<Self> {
        let wire: Wire = serde_json::from_reader(text)?;
        let timeout = if wire.runner_info.timeout == 0 { DEFAULT_TIMEOUT } else { wire.runner_info.timeout };
        Ok(Self {
            job: Token(wire.id),
            cache: Cache { project: wire.job_info.project_id, protected: wire.git_info.protected.unwrap_or(false) },
            image: wire.image.map(|image| image.name).filter(|name| !name.is_empty()),
            timeout: Duration::from_secs(timeout),
            services: wire.services.map_or(0, |services| services.len()),
            has_steps: match wire.run {
                Some(Steps::List(steps)) => !steps.is_empty(),
                Some(Steps::Text(text)) => !matches!(text.as_str(), "" | "null" | "[]"),
                None => false,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn whole() -> Value {
        json!({
            "id": 4711, "token": "job-token-fake", "job_info": {"name": "test", "project_id": 7},
            "git_info": {"ref": "main", "protected": true}, "runner_info": {"timeout": 300},
            "variables": [{"key": "CI_JOB_ID", "value": "../.."}], "image": {"name": "debian"}, "services": [],
        })
    }

    fn parsed(value: &Value) -> Result<Response> {
        Response::parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_job_is_known_by_numbers_and_the_name_of_its_image() {
        assert_eq!(
            parsed(&whole()).unwrap(),
            Response {
                job: Token(4711),
                cache: Cache { project: 7, protected: true },
                image: Some("debian".into()),
                timeout: Duration::from_secs(300),
                services: 0,
                has_steps: false,
            }
        );
    }

    #[test]
    fn what_may_be_absent_has_a_careful_meaning() {
        let least = parsed(&json!({"id": 1, "job_info": {"project_id": 2}})).unwrap();
        assert!(!least.cache.protected);
        assert_eq!((least.image, least.services, least.has_steps), (None, 0, false));
        assert_eq!(least.timeout, Duration::from_secs(7_200));
        for (key, value) in [("protected", Value::Null), ("protected", json!(false))] {
            let mut job = whole();
            job["git_info"][key] = value;
            assert!(!parsed(&job).unwrap().cache.protected);
        }
        let mut job = whole();
        (job["image"]["name"], job["services"], job["run"]) = (json!(""), Value::Null, json!([]));
        let response = parsed(&job).unwrap();
        assert_eq!((response.image, response.services, response.has_steps), (None, 0, false));
    }

    #[test]
    fn services_and_steps_are_seen() {
        let mut job = whole();
        job["services"] = json!([{"name": "postgres"}, {"name": "redis"}]);
        assert_eq!(parsed(&job).unwrap().services, 2);
        for run in [json!([{"name": "a"}]), json!("[{\"name\": \"a\"}]")] {
            job["run"] = run;
            assert!(parsed(&job).unwrap().has_steps);
        }
    }

    #[test]
    fn a_value_that_is_used_must_be_of_its_type_and_there_once() {
        for (pointer, value) in [
            ("/id", json!("../..")),
            ("/id", json!(-1)),
            ("/id", json!(1.5)),
            ("/id", Value::Null),
            ("/job_info", Value::Null),
            ("/job_info/project_id", json!("7")),
            ("/git_info/protected", json!("true")),
            ("/runner_info/timeout", json!(-1)),
            ("/image", json!("debian")),
            ("/image/name", json!(["debian"])),
            ("/services", json!({})),
        ] {
            let mut job = whole();
            *job.pointer_mut(pointer).unwrap() = value;
            assert!(parsed(&job).is_err(), "{pointer}");
        }
        let twice = br#"{"id": 1, "job_info": {"project_id": 2}, "id": 3}"#;
        assert!(Response::parse(twice.as_slice()).unwrap_err().to_string().contains("duplicate field `id`"));
    }

    #[test]
    fn a_large_job_is_read_without_being_kept_and_a_larger_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("response.json");
        let mut job = whole();
        job["variables"][0]["value"] = json!("x".repeat(8 << 20));
        std::fs::write(&path, job.to_string()).unwrap();
        assert_eq!(Response::read(&path).unwrap().job, Token(4711));
        File::options().write(true).open(&path).unwrap().set_len(MAX_SIZE + 1).unwrap();
        assert!(format!("{:#}", Response::read(&path).unwrap_err()).contains("more than 268435456"));
        assert!(Response::read(directory.path()).is_err());
        assert!(Response::read(&directory.path().join("absent")).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
            let map = prop::collection::btree_map(".{0,6}", inner, 0..4);
            prop_oneof![list, map.prop_map(|map| Value::Object(map.into_iter().collect()))]
        })
    }

    proptest! {
        #[test]
        fn keys_that_nobody_knows_change_nothing(key in "[a-z_]{1,12}", value in any_json()) {
            prop_assume!(!["id", "job_info", "git_info", "runner_info", "image", "services", "run"].contains(&key.as_str()));
            let mut job = whole();
            job[&key] = value.clone();
            prop_assume!(!["project_id", "protected", "timeout", "name"].contains(&key.as_str()));
            for inner in ["job_info", "git_info", "runner_info", "image"] {
                job[inner][&key] = value.clone();
            }
            prop_assert_eq!(parsed(&job).unwrap(), parsed(&whole()).unwrap());
        }

        #[test]
        fn no_bytes_are_a_danger(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            _ = Response::parse(bytes.as_slice());
        }

        #[test]
        fn a_part_of_a_job_is_none(end in 0_usize..300) {
            let text = whole().to_string();
            prop_assume!(end < text.len());
            prop_assert!(Response::parse(&text.as_bytes()[..end]).is_err());
        }
    }
}
