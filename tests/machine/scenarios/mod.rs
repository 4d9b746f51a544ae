//! All scenarios, named as claims.

mod broker;
mod changes;
mod cloud;
mod containers;
mod doctor;
mod faults;
pub mod fleet;
mod garbage;
mod hostile;
mod keeping;
mod kills;
mod life;
mod limits;
mod ondemand;
mod operators;
mod overrides;
mod passes;
mod profiles;
mod reboot;
mod recovery;
mod retire;
mod steps;

use anyhow::Result;

use crate::{Machine, bench};

/// A scenario fails by returning an error.
pub type Scenario = fn(&Machine) -> Result<()>;

/// A part of them, because all together take one machine long.
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Whether the machine reboots meanwhile, so that the program runs more than once.
    pub reboots: bool,
    /// Whether it takes times, which nothing may disturb.
    pub measures: bool,
    /// Its scenarios by their names.
    pub scenarios: &'static [(&'static str, Scenario)],
}

/// What a machine can be asked to run.
pub const PARTS: &[Part] = &[
    Part { name: "runners", reboots: false, measures: false, scenarios: RUNNERS },
    Part { name: "faults", reboots: false, measures: false, scenarios: FAULTS },
    Part { name: "fleets", reboots: false, measures: false, scenarios: FLEETS },
    Part { name: "reboots", reboots: true, measures: false, scenarios: REBOOTS },
    Part { name: "profiles", reboots: false, measures: false, scenarios: PROFILES },
    Part { name: "on-demand", reboots: false, measures: false, scenarios: ON_DEMAND },
    Part { name: "on-demand-cloud", reboots: false, measures: false, scenarios: CLOUD },
    Part { name: "on-demand-bench", reboots: false, measures: true, scenarios: ON_DEMAND_BENCH },
    Part { name: "bench", reboots: false, measures: true, scenarios: BENCH },
];

/// About single runners, in the order in which they run.
const RUNNERS: &[(&str, Scenario)] = &[
    ("a_first_start_registers_records_and_links", life::first_start),
    ("an_unchanged_restart_keeps_the_registration", life::unchanged_restart),
    ("a_stop_during_a_job_keeps_the_registration", life::stop_during_a_job),
    ("an_ephemeral_runner_does_three_jobs", life::ephemeral),
    ("each_changed_field_registers_anew", changes::each_field),
    ("a_rotated_token_registers_anew", changes::token),
    ("a_registration_token_is_enough", changes::registration_token),
    ("state_of_nixpkgs_module_is_adopted", changes::adoption),
    ("a_work_directory_on_disk_is_made_and_usable", changes::work_on_disk),
    ("overrides_of_users_keep_working", overrides::all),
    ("a_refused_registration_says_what_to_do", faults::refused),
    ("a_missing_token_loses_nothing", faults::missing_token),
    ("an_app_registers_runners_with_narrow_tokens", broker::app),
    ("a_jit_cycle_of_five_jobs_leaves_nothing", broker::five_jobs),
    ("rotating_a_token_can_leave_the_registration_alone", broker::rotation),
    ("a_start_costs_one_broker_and_so_does_a_stop", broker::processes),
    ("an_ephemeral_start_is_measured_and_its_broker_is_closed_in", broker::figures),
    ("a_changed_configuration_takes_its_old_registration_back", retire::changed),
    ("a_stopped_ephemeral_runner_is_gone_from_the_server", retire::stopped),
    ("a_foreign_runner_of_the_same_name_is_never_touched", retire::foreign),
    ("a_debt_survives_an_outage_and_is_paid", retire::debt),
    ("a_good_registration_starts_while_the_server_is_down", recovery::down_and_kept),
    ("a_server_that_is_down_for_a_whole_start_is_waited_for", recovery::down_and_back),
    ("a_deleted_registration_heals_by_itself", recovery::deleted),
    ("every_exit_code_has_its_consequence", recovery::exit_codes),
    ("a_version_that_github_does_not_register_keeps_the_unit_down", recovery::version_refused),
    ("a_session_conflict_that_stays_gets_a_fresh_identity", recovery::conflict),
    ("a_stop_of_a_start_that_waits_is_no_failure", recovery::stopped_while_it_waits),
    ("a_doctor_knows_running_and_stopped_runners", doctor::knows),
    ("a_job_that_fills_its_work_directory_fails_alone", limits::fills_work),
    ("a_job_shares_memory_with_nobody_else", limits::shares_no_memory),
    ("what_a_job_leaves_behind_delays_no_end", limits::leaves_something_behind),
    ("a_hostile_job_reaches_nothing_of_roots", hostile::reaches_nothing),
    ("what_outlives_a_unit_is_found_and_named", hostile::leftovers),
];

/// About single runners whose starts meet one fault after the other, which takes long.
const FAULTS: &[(&str, Scenario)] = &[
    ("a_kill_at_each_fault_point_heals_at_the_next_start", faults::each_point),
    ("kills_leave_exactly_what_the_ledger_names", kills::everywhere),
    ("a_hostile_state_directory_harms_nobody", hostile::state),
];

/// About many runners at once, and about passes over them.
const FLEETS: &[(&str, Scenario)] = &[
    ("a_removed_runner_disappears_when_it_is_idle", fleet::removed),
    ("a_switch_of_twenty_runners_ends_no_job", fleet::ends_no_job),
    ("ten_passes_without_a_server_change_nothing", passes::ten_passes_down),
    ("two_passes_at_once_are_one", passes::two_at_once),
    ("a_busy_persistent_runner_registers_anew_after_its_job", passes::busy_and_changed),
    ("a_deadline_ends_a_drain_and_says_so", passes::deadline),
    ("an_unknown_offline_runner_is_told_and_deleted_only_if_asked", passes::unknown),
    ("operators_drain_restart_and_retire", operators::operators),
    ("what_github_does_not_list_is_restarted", passes::deleted_while_running),
];

/// About the host as a whole; the machine boots once for each phase of one.
const REBOOTS: &[(&str, Scenario)] = &[("a_reboot_during_a_drain_leaves_no_ephemeral_runner", reboot::during_a_drain)];

/// What jobs get by options; see docs/jobs.md.
const PROFILES: &[(&str, Scenario)] = &[
    ("a_job_gets_what_an_option_opens_and_nothing_besides", profiles::opened),
    ("an_action_for_a_node_that_nobody_has_gets_its_other_name", profiles::other_node),
    ("a_home_and_a_cache_outlive_a_job_and_its_runner", profiles::home_and_cache),
    ("hooks_run_around_each_job_and_can_refuse_it", profiles::hooks),
    ("the_nix_daemon_does_for_jobs_what_their_options_say", profiles::nix),
    ("a_job_of_strangers_leaves_nothing_to_the_next_one", profiles::strangers),
    ("containers_without_root_work_in_a_job_and_open_nothing_else", containers::without_root),
    ("no_container_outlives_its_runner", containers::outlives_nothing),
    ("an_engine_whose_files_a_job_spoiled_begins_anew", containers::heals),
    ("each_job_of_an_ephemeral_runner_finds_an_engine_without_anything", containers::anew_in_each_cycle),
    ("an_engine_of_the_host_makes_jobs_root_and_opens_no_line", containers::of_the_host),
    ("explain_names_the_lines_that_are_in_the_way_of_a_command", profiles::explained),
    ("own_commands_around_steps_have_their_rights_and_their_failure_stops_a_start", steps::around),
    ("a_kept_work_directory_outlives_starts_and_a_full_one_keeps_the_runner_from_github", keeping::kept),
    // Last, for it also collects what the machine only laid into its store.
    ("garbage_is_collected_under_a_job_and_not_under_one_that_holds_it", garbage::held),
];

/// Runners on demand; see `on-demand` beside this program's directory.
const ON_DEMAND: &[(&str, Scenario)] = &[
    ("an_order_of_this_host_lives_from_its_request_to_nothing_left", ondemand::of_this_host),
    ("an_order_in_a_machine_does_the_same", ondemand::in_a_machine),
    ("a_workflow_of_the_original_is_served_unchanged", ondemand::original),
    ("strangers_get_nothing_and_the_door_has_nothing", ondemand::strangers),
    ("an_operator_stops_everything_and_ends_one", ondemand::operator),
    ("a_desk_that_is_killed_at_any_time_leaves_nothing", ondemand::killed),
    ("an_order_whose_time_is_over_ends_also_if_nobody_looks", ondemand::time_is_over),
];

/// Those whose machines are instances of EC2.
const CLOUD: &[(&str, Scenario)] = &[
    ("an_order_in_a_cloud_boots_does_its_job_and_leaves_nothing", cloud::whole),
    ("an_order_without_room_tries_the_next_candidates_and_a_lost_answer_makes_no_second_instance", cloud::without_room),
    ("an_instance_that_is_taken_away_leaves_no_registration", cloud::interrupted),
    ("an_instance_whose_host_is_gone_ends_itself", cloud::forgotten),
    ("a_desk_that_is_killed_at_any_time_leaves_no_instance", cloud::killed),
];

/// What the time from a request to a runner is.
const ON_DEMAND_BENCH: &[(&str, Scenario)] = &[
    ("from_request_to_runner_is_measured", ondemand::figures),
    ("from_request_to_instance_is_measured", cloud::figures),
];

/// Figures, in the order in which they are taken.
const BENCH: &[(&str, Scenario)] = &[
    ("starts_without_passes_are_measured", bench::without_passes),
    ("starts_after_passes_are_measured", bench::after_passes),
    ("many_starts_at_once_are_measured", bench::many_at_once),
];
