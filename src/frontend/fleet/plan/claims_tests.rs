//! Claims about plans.

use proptest::prelude::*;
use serde_json::json;

use super::world_tests::{World, declared};
use crate::frontend::fleet::declaration::Declaration;
use crate::frontend::fleet::memory::Memory;
use crate::frontend::fleet::report::{State, orphans};
use crate::frontend::fleet::step::{Action, Kind, Plan};

fn built() -> (Declaration, World) {
    let (declared, mut world) = (declared(|_| {}), World::default());
    world.pass(&declared, "s", usize::MAX, false);
    (declared, world)
}

#[test]
fn a_new_garm_gets_everything_in_the_order_of_need_and_then_nothing() {
    let (declared, world) = built();
    let told: Vec<String> = World::default().plan(&declared, "s").steps.iter().map(|step| step.told(true)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    Would update the controller (callback_url, metadata_url, webhook_url)
    Would create endpoint ghes
    Would create credentials octo-app
    Would create credentials octo-token
    Would create repository octo-org/example
    Would install the webhook of octo-org/example
    Would create organization octo-org
    Would create pool small of octo-org/example
    Would create scale-set builders of octo-org
    ");
    assert_eq!(world.plan(&declared, "s"), Plan::default());
    assert!(world.report(&declared).is_good() && orphans(&declared, &world.seen, &world.memory).is_empty());
}

#[test]
fn one_change_is_one_update_of_one_field() {
    let (_, world) = built();
    for (path, to, told) in [
        ("/controller/callbackUrl", json!("http://192.0.2.11/c"), "the controller (callback_url)"),
        ("/endpoints/ghes/description", json!("new"), "endpoint ghes (description)"),
        ("/credentials/octo-token/description", json!("new"), "credentials octo-token (description)"),
        (
            "/repositories/octo-org~1example/poolBalancer",
            json!("pack"),
            "repository octo-org/example (pool_balancer_type)",
        ),
        ("/organizations/octo-org/credentials", json!("octo-token"), "organization octo-org (credentials_name)"),
        ("/pools/small/image", json!("b"), "pool small of octo-org/example (image)"),
        ("/pools/small/tags", json!(["incus", "new"]), "pool small of octo-org/example (tags)"),
        ("/pools/small/extraSpecs", json!({}), "pool small of octo-org/example (extra_specs)"),
        ("/pools/small/enabled", json!(false), "pool small of octo-org/example (enabled)"),
        ("/pools/small/runnerGroup", json!("g"), "pool small of octo-org/example (github-runner-group)"),
        ("/scaleSets/builders/maxRunners", json!(9), "scale-set builders of octo-org (max_runners)"),
        ("/scaleSets/builders/runnerGroup", json!("g"), "scale-set builders of octo-org (runner_group)"),
    ] {
        let changed = declared(|value| {
            let (above, field) = path.rsplit_once('/').unwrap();
            value.pointer_mut(above).unwrap()[field] = to;
        });
        let plan = world.plan(&changed, "s");
        let steps: Vec<String> = plan.steps.iter().map(|step| step.told(true)).collect();
        assert_eq!((steps, plan.refused), (vec![format!("Would update {told}")], vec![]), "{path}");
        let mut after = world.clone();
        after.pass(&changed, "s", usize::MAX, false);
        assert_eq!(after.plan(&changed, "s"), Plan::default(), "{path}");
    }
}

#[test]
fn a_new_secret_is_sent_and_an_old_one_is_not() {
    let (declared, mut world) = built();
    let told: Vec<String> = world.plan(&declared, "new").steps.iter().map(|step| step.told(true)).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().all(|told| told.ends_with(" (secret)")), "{told:?}");
    world.pass(&declared, "new", usize::MAX, false);
    assert_eq!(world.plan(&declared, "new"), Plan::default());
}

#[test]
fn what_garm_cannot_change_is_refused_with_the_way_out_and_not_made_anew() {
    let (_, world) = built();
    let key = json!({"appId": 1, "installationId": 2, "keyFile": "/k"});
    for (change, kind, part) in [
        (json!({"/pools/small/provider": "other"}), Kind::Pool, "declare one of another name"),
        (json!({"/pools/small/entity": "octo-org"}), Kind::Pool, "GARM cannot move it"),
        (json!({"/scaleSets/builders/provider": "other"}), Kind::ScaleSet, "declare one of another name"),
        (json!({"/scaleSets/builders/labels": ["x"]}), Kind::ScaleSet, "declare one of another name"),
        (json!({"/credentials/octo-token/token": null, "/credentials/octo-token/app": key}), Kind::Credentials, "type"),
        (json!({"/credentials/octo-app/endpoint": "ghes"}), Kind::Credentials, "of endpoint \"github.com\""),
    ] {
        let changed = declared(|value| {
            for (path, to) in change.as_object().unwrap() {
                let (above, field) = path.rsplit_once('/').unwrap();
                value.pointer_mut(above).unwrap()[field] = to.clone();
            }
        });
        let plan = world.plan(&changed, "s");
        let made = plan.steps.iter().filter(|step| step.action == Action::Create && step.kind == kind);
        assert_eq!(made.count(), 0, "{change}");
        let said: Vec<&str> =
            plan.refused.iter().filter(|refused| refused.kind == kind).map(|refused| refused.said.as_str()).collect();
        assert!(said.len() == 1 && said[0].contains(part), "{change}: {:?}", plan.refused);
    }
}

#[test]
fn what_is_not_declared_any_more_is_told_and_no_step_touches_it() {
    let (_, world) = built();
    let less = declared(|value| {
        value["pools"] = json!({});
        value["scaleSets"] = json!({});
        value["organizations"] = json!({});
        value["credentials"].as_object_mut().unwrap().remove("octo-app");
        value["endpoints"] = json!({});
    });
    assert_eq!(world.plan(&less, "s"), Plan::default());
    let report = world.report(&less);
    let told: Vec<(Kind, &str)> = report
        .things
        .iter()
        .filter(|thing| thing.state == State::NotDeclared)
        .map(|thing| (thing.kind, thing.name.as_str()))
        .collect();
    let expected = [
        (Kind::Endpoint, "ghes"),
        (Kind::Credentials, "octo-app"),
        (Kind::Organization, "octo-org"),
        (Kind::Pool, "small"),
        (Kind::ScaleSet, "builders"),
    ];
    assert_eq!(told, expected);
    assert!(report.is_good(), "it is no fault of what is declared");
}

#[test]
fn a_lost_memory_finds_the_only_pool_and_guesses_among_several() {
    let (declared_one, mut world) = built();
    world.memory = Memory::default();
    let told = |world: &World, declared: &Declaration| -> Vec<String> {
        let plan = world.plan(declared, "s");
        let pools = plan.steps.iter().filter(|step| step.kind == Kind::Pool).map(|step| step.told(true));
        pools.chain(plan.refused.iter().map(|refused| refused.said.clone())).collect()
    };
    let id = world.seen.pools[0].id.clone();
    assert_eq!(told(&world, &declared_one), [format!("Would take over pool small of octo-org/example: it is {id}")]);
    // Another one that is the same in what it is known by, and not in everything.
    let mut twin = world.seen.pools[0].clone();
    twin.id = "twin".into();
    twin.image = "other".into();
    world.seen.pools.push(twin);
    assert_eq!(told(&world, &declared_one).len(), 1, "one fits in everything");
    world.seen.pools[0].flavor = "other".into();
    let said = told(&world, &declared_one);
    assert!(said.len() == 1 && said[0].contains(&format!("any of {id}, twin")), "{said:?}");
    assert!(said[0].contains("fleet adopt small ID"), "{said:?}");
}

#[test]
fn a_renamed_pool_is_the_same_pool() {
    let (_, mut world) = built();
    let renamed = declared(|value| {
        let pool = value["pools"].as_object_mut().unwrap().remove("small").unwrap();
        value["pools"]["tiny"] = pool;
    });
    let plan = world.plan(&renamed, "s");
    assert!(plan.steps.len() == 1 && plan.steps[0].action == Action::Adopt, "{plan:?}");
    world.pass(&renamed, "s", usize::MAX, false);
    assert_eq!(world.plan(&renamed, "s"), Plan::default());
    assert!(world.memory.pool("tiny").is_some() && world.memory.pool("small").is_none());
}

#[test]
fn two_pools_of_the_same_tags_are_two_even_if_answers_are_lost() {
    let two = declared(|value| {
        let mut second = value["pools"]["small"].clone();
        second["flavor"] = json!("large");
        value["pools"]["large"] = second;
    });
    let (_, mut world) = built();
    world.seen.pools.clear();
    for _ in 0..9 {
        world.pass(&two, "s", 1, true);
    }
    assert_eq!((world.seen.pools.len(), world.plan(&two, "s").steps.len()), (2, 0));
}

fn some_declaration() -> impl Strategy<Value = Declaration> {
    let pool = (0..3_usize, 0..2_usize, 0..3_u64, any::<bool>(), 0..3_usize);
    (proptest::collection::vec(pool, 0..4), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(pools, balancer, webhook, description)| {
            declared(|value| {
                let template = value["pools"]["small"].clone();
                value["pools"] = json!({});
                for (at, (tag, entity, idle, enabled, flavor)) in pools.into_iter().enumerate() {
                    let mut pool = template.clone();
                    pool["tags"] = [json!(["a"]), json!(["a", "b"]), json!(["c"])][tag].clone();
                    pool["entity"] = json!(["octo-org/example", "octo-org"][entity]);
                    pool["minIdleRunners"] = json!(idle);
                    pool["enabled"] = json!(enabled);
                    pool["flavor"] = json!(["x", "y", "z"][flavor]);
                    value["pools"][format!("pool{at}")] = pool;
                }
                value["organizations"]["octo-org"]["poolBalancer"] =
                    json!(if balancer { "pack" } else { "roundrobin" });
                value["organizations"]["octo-org"]["installWebhook"] = json!(webhook);
                value["credentials"]["octo-token"]["description"] = json!(if description { "a" } else { "b" });
            })
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_declared_one_after_the_other_two_passes_are_enough_and_nothing_is_lost(
        declarations in proptest::collection::vec(some_declaration(), 1..4),
        cuts in proptest::collection::vec((0..9_usize, any::<bool>()), 0..6),
    ) {
        let mut world = World::default();
        for declared in &declarations {
            for (most, is_lost) in &cuts {
                let before = world.seen.pools.len();
                world.pass(declared, "s", *most, *is_lost);
                prop_assert!(world.seen.pools.len() >= before, "a pass deletes nothing");
            }
            world.pass(declared, "s", usize::MAX, false);
            let plan = world.plan(declared, "s");
            prop_assert!(plan.steps.is_empty(), "{:?}", plan.steps);
            // Each declared pool that is not refused has exactly one of GARM's for itself.
            let ids: std::collections::BTreeSet<_> =
                declared.pools.keys().filter_map(|name| world.memory.pool(name)).collect();
            let refused = plan.refused.iter().filter(|refused| refused.kind == Kind::Pool).count();
            prop_assert!(ids.len() + refused >= declared.pools.len(), "{:?}", plan.refused);
        }
    }

    #[test]
    fn a_first_declaration_never_makes_a_pool_twice_however_passes_are_cut(
        declared in some_declaration(),
        cuts in proptest::collection::vec((0..9_usize, any::<bool>()), 0..12),
    ) {
        let mut world = World::default();
        for (most, is_lost) in cuts {
            world.pass(&declared, "s", most, is_lost);
        }
        world.pass(&declared, "s", usize::MAX, false);
        prop_assert_eq!(world.seen.pools.len(), declared.pools.len());
        prop_assert!(world.plan(&declared, "s") == Plan::default());
    }
}
