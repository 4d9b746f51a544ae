//! Who could come to a secret by the way to it, as a pure function of what stands on that way.

use crate::sys::{PASS, Person, READ, Rights, Stop, WRITE};

const STICKY: u32 = 0o1000;
const OTHERS: u32 = 0o007;

/// To whom a secret is open, as sentences without a full stop.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Exposure {
    /// To the user that jobs run as.
    pub to_jobs: Vec<String>,
    /// To others than root.
    pub to_others: Vec<String>,
}

/// Judges the way to a secret. `person` is who jobs run as, `root` whoever runs this.
pub(super) fn judge(stops: &[Stop], person: &Person, root: u32) -> Exposure {
    let Some(file) = stops.last() else { return Exposure::default() };
    let secret = file.path.display();
    let jobs = person.uid.map_or("the user of the unit".into(), |uid| format!("user id {uid}, which jobs run as,"));
    let (mut to_jobs, mut to_others) = (Vec::new(), Vec::new());
    for (index, stop) in stops.iter().enumerate() {
        let above = || stop.above.iter().map(|above| &stops[*above]);
        let shown = stop.path.display();
        if let Some(directory) = above().next_back()
            && above().all(|directory| directory.rights.allow(person, PASS))
            && can_exchange(directory, stop, person)
        {
            to_jobs.push(format!("{jobs} can exchange {shown} on the way to the secret {secret}"));
        }
        let is_file = index + 1 == stops.len() && !stop.is_directory;
        if is_file && above().all(|directory| directory.rights.allow(person, PASS)) {
            let owns = person.uid == Some(stop.rights.uid);
            if owns || stop.rights.allow(person, READ) {
                to_jobs.push(format!("{jobs} can read the secret {secret}{}", by(&stop.rights, owns)));
            } else if stop.rights.allow(person, WRITE) {
                to_jobs.push(format!("{jobs} can change the secret {secret}{}", by(&stop.rights, owns)));
            }
        }
        // What only root can come to concerns nobody else.
        if above().any(|directory| is_closed(&directory.rights, root)) {
            continue;
        }
        if let Some(directory) = above().next_back() {
            let who = exchangers(directory, stop, root);
            if !who.is_empty() {
                to_others.push(format!("{} can exchange {shown} on the way to the secret {secret}", who.join(" and ")));
            }
        }
        if is_file {
            let who = readers(&stop.rights, root);
            if !who.is_empty() {
                to_others.push(format!("{} can read the secret {secret}", who.join(" and ")));
            }
        }
    }
    Exposure { to_jobs, to_others }
}

/// By which right, for a person to correct.
fn by(rights: &Rights, owns: bool) -> String {
    let list = if rights.list.is_some() { " and an access control list" } else { "" };
    if owns { ", because it is the owner".into() } else { format!(", which has mode {:04o}{list}", rights.mode) }
}

/// Whether `person` can put something else in the place of what lies in a directory that they can come to.
fn can_exchange(directory: &Stop, stop: &Stop, person: &Person) -> bool {
    let owns = |rights: &Rights| person.uid == Some(rights.uid);
    let held = directory.rights.mode & STICKY != 0 && !owns(&stop.rights);
    // An owner can give themselves every right.
    owns(&directory.rights) || (directory.rights.allow(person, WRITE | PASS) && !held)
}

/// Whether nobody but root can pass a directory.
fn is_closed(rights: &Rights, root: u32) -> bool {
    is_roots(rights.uid, root) && rights.named(PASS).is_empty() && rights.mode & OTHERS & PASS == 0
}

fn is_roots(uid: u32, root: u32) -> bool {
    uid == 0 || uid == root
}

/// Who else than root can exchange what lies in a directory.
fn exchangers(directory: &Stop, stop: &Stop, root: u32) -> Vec<String> {
    let owner = |rights: &Rights| (!is_roots(rights.uid, root)).then(|| format!("user id {}", rights.uid));
    let mut who: Vec<String> = owner(&directory.rights).into_iter().collect();
    let open = directory.rights.mode & OTHERS & WRITE != 0;
    if directory.rights.mode & STICKY == 0 {
        who.extend(directory.rights.named(WRITE));
        who.extend(open.then(|| "everybody".into()));
    } else if open {
        who.extend(owner(&stop.rights));
    }
    who
}

/// Who else than root can read a file.
fn readers(rights: &Rights, root: u32) -> Vec<String> {
    let mut who = if is_roots(rights.uid, root) { vec![] } else { vec![format!("user id {}", rights.uid)] };
    who.extend(rights.named(READ));
    who.extend((rights.mode & OTHERS & READ != 0).then(|| "everybody".into()));
    who
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
