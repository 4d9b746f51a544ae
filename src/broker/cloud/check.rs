//! Whether everything that instances need is there and allowed: for `doctor`. Nothing is made.

use super::manifest::Manifest;
use crate::contract::cloud::{Checked, Market, Refusal};
use crate::machines::ec2::{Asker, Shape, Type, find_image, might_run, quota, subnets, types};

/// The quotas of standard types (A, C, D, H, I, M, R, T, Z), in virtual processors: Service Quotas, service `ec2`.
const QUOTAS: [(Market, &str); 2] = [(Market::Spot, "L-34B43A08"), (Market::OnDemand, "L-1216C47A")];
const STANDARD: &str = "acdhimrtz";

/// Looks at all of it. What depends on something that is missing is not looked at.
pub fn check(asker: &Asker<'_>, manifest: &Manifest, shape: &Shape<'_>) -> Vec<Checked> {
    let mut all = vec![];
    let known = types(asker, manifest.types());
    all.push(of_types(manifest, known.as_deref()));
    all.extend(of_subnets(asker, manifest));
    match find_image(asker, manifest.wanted(), &manifest.architecture) {
        Err(refusal) => all.push(refused("image", &refusal, "correct `image`, or the `architecture` of the class")),
        Ok(image) => {
            all.push(good("image", format!("{} is available for {}", image.id, manifest.architecture)));
            for placement in manifest.first_of_each(&image) {
                let word = placement.market.word();
                all.push(match asker.ask(&might_run(&placement, shape)) {
                    // What EC2 answers if it would have been done.
                    Err(Refusal::Configuration(why)) if why.starts_with("DryRunOperation") => {
                        good("rights", format!("{word} instances may be made"))
                    }
                    Err(refusal) => refused("rights", &refusal, "correct the class"),
                    Ok(_) => unknown("rights", format!("nobody says whether {word} instances may be made")),
                });
            }
        }
    }
    if let Ok(known) = &known {
        let used = QUOTAS.into_iter().filter(|(market, _)| manifest.uses(*market));
        all.extend(used.filter_map(|(market, code)| of_quota(asker, manifest, known, market, code)));
    }
    all
}

fn of_types(manifest: &Manifest, known: Result<&[Type], &Refusal>) -> Checked {
    let what = "types";
    let known = match known {
        Err(refusal) => return refused(what, refusal, "correct `types`"),
        Ok(known) => known,
    };
    let architecture = &manifest.architecture;
    let wrong = manifest.types().iter().find(|name| {
        let found = known.iter().find(|found| found.name == **name);
        found.is_none_or(|found| !found.architectures.contains(architecture))
    });
    match wrong {
        Some(name) => bad(what, format!("{name} does not exist here, or is none of {architecture}: correct `types`")),
        None => good(what, format!("all of them are of {architecture}")),
    }
}

fn of_subnets(asker: &Asker<'_>, manifest: &Manifest) -> Vec<Checked> {
    let what = "subnets";
    let known = match subnets(asker, manifest.subnets()) {
        Err(refusal) => return vec![refused(what, &refusal, "correct `subnets`")],
        Ok(known) => known,
    };
    let of = |id: &String| match known.iter().find(|subnet| subnet.id == *id) {
        None => bad(what, format!("{id} is not there: correct `subnets`")),
        Some(subnet) if subnet.free == 0 => bad(what, format!("{id} has no free address: use a larger one")),
        Some(subnet) => good(what, format!("{id} has {} free addresses", subnet.free)),
    };
    manifest.subnets().iter().map(of).collect()
}

fn of_quota(asker: &Asker<'_>, manifest: &Manifest, known: &[Type], market: Market, code: &str) -> Option<Checked> {
    let endpoint = match &manifest.quotas {
        Some(endpoint) => endpoint.clone(),
        None => format!("https://servicequotas.{}", manifest.endpoint.split_once("ec2.")?.1),
    };
    let is_standard = |name: &str| name.chars().next().is_some_and(|first| STANDARD.contains(first));
    let largest = known.iter().filter(|found| is_standard(&found.name)).map(|found| found.processors).max()?;
    let word = market.word();
    Some(match quota(asker, &endpoint, code) {
        None => unknown("quota", format!("this credential may not read the quota {code} of {word} instances")),
        Some(quota) if quota < largest => bad(
            "quota",
            format!(
                "{quota} processors of {word} instances may run at once ({code}), and one has {largest}: have it raised"
            ),
        ),
        Some(quota) => good(
            "quota",
            format!("{quota} processors of {word} instances may run at once ({code}): {} machines", quota / largest),
        ),
    })
}

fn good(what: &str, words: String) -> Checked {
    Checked { what: what.into(), good: Some(true), words }
}

fn bad(what: &str, words: String) -> Checked {
    Checked { what: what.into(), good: Some(false), words }
}

fn unknown(what: &str, words: String) -> Checked {
    Checked { what: what.into(), good: None, words }
}

fn refused(what: &str, refusal: &Refusal, way_out: &str) -> Checked {
    match refusal {
        Refusal::Passing(why) => unknown(what, format!("nobody says: {why}")),
        // It says nothing of what was looked for.
        Refusal::Credential(why) => bad(what, format!("{why}: correct the credential, or its policy")),
        _ => bad(what, format!("{refusal}: {way_out}")),
    }
}
