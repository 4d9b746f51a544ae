//! The runners of an entity, their groups and tokens.

use serde_json::{Value, json};

use super::{
    access,
    answer::Answer,
    auth::Credential,
    paging,
    routes::Seen,
    runner::{Group, Runner},
    shared::{Utc, sha256},
    state::{State, TokenKind},
};

/// A token lives one hour, as GitHub's do.
const TOKEN_LIFETIME: u64 = 3_600;

/// The version of the runner that is offered for download.
const NEWEST: &str = "2.336.0";

/// Registration and remove tokens.
pub fn mint(state: &mut State, seen: &Seen, entity: &str, kind: TokenKind) -> Answer {
    access::allow(state, seen, entity, None).unwrap_or_else(|| {
        let token = state.mint(entity, kind, TOKEN_LIFETIME);
        let expires = Utc::from_unix(token.expires).iso();
        Answer::json(201, json!({ "token": token.secret, "expires_at": expires }))
    })
}

/// The runner itself gets all groups at once, and those of a repository, too; REST has
/// pages, and no groups of repositories.
pub fn groups(state: &State, seen: &Seen, entity: &str) -> Answer {
    let body = |rows: Vec<Value>, count| json!({ "total_count": count, "runner_groups": rows });
    match seen.credential {
        Credential::Remote(_) => {
            Answer::json(200, body(state.groups.iter().map(Group::public).collect(), state.groups.len()))
        }
        _ if entity.starts_with("repos/") => Answer::not_found(),
        _ => paging::page(seen, &state.groups, Group::public, body),
    }
}

/// All runners, or those of one name.
pub fn list(state: &State, seen: &Seen, entity: &str) -> Answer {
    let wanted = seen.query.get("name");
    let rows: Vec<&Runner> = state
        .runners
        .iter()
        .filter(|runner| runner.entity.eq_ignore_ascii_case(entity))
        .filter(|runner| wanted.is_none_or(|name| name.eq_ignore_ascii_case(&runner.name)))
        .collect();
    paging::page(seen, &rows, |runner| runner.public(), |rows, count| json!({ "total_count": count, "runners": rows }))
}

/// One runner.
pub fn get(state: &State, entity: &str, id: &str) -> Answer {
    let runner = id.parse().ok().and_then(|id| state.runner(entity, id));
    runner.map_or_else(Answer::not_found, |runner| Answer::json(200, runner.public()))
}

/// What can be downloaded; there is nothing at the addresses.
pub fn downloads() -> Answer {
    let row = |architecture: &str| {
        let file = format!("actions-runner-linux-{architecture}-{NEWEST}.tar.gz");
        json!({
            "os": "linux",
            "architecture": architecture,
            "download_url": format!("https://downloads.example/v{NEWEST}/{file}"),
            "filename": file,
            "sha256_checksum": sha256(&file),
        })
    };
    Answer::json(200, json!([row("x64"), row("arm64")]))
}

/// The releases of the runner itself, with some that are none yet.
pub fn releases(state: &State) -> Answer {
    let release = |version: &str, published: &str, prerelease: bool| json!({ "tag_name": format!("v{version}"), "published_at": published, "draft": false, "prerelease": prerelease });
    let out = state.releases.iter().map(|(version, published)| release(version, published, false));
    let test = release("99.0.0", "2026-01-01T00:00:00Z", true);
    Answer::json(200, std::iter::once(test).chain(out).collect())
}

/// Deletes a runner, unless it is busy.
pub fn delete(state: &mut State, entity: &str, id: &str) -> Answer {
    let Some(runner) = id.parse().ok().and_then(|id| state.runner(entity, id)) else {
        return Answer::not_found();
    };
    if runner.busy {
        let name = &runner.name;
        let text = format!("Runner \"{name}\" is currently running a job and cannot be deleted");
        return Answer::unprocessable(&text);
    }
    let id = runner.id;
    state.runners.retain(|runner| runner.id != id);
    Answer::no_content()
}
