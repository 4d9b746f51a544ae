//! All scenarios, named as claims.

mod changes;
mod faults;
mod hostile;
mod life;
mod overrides;

use anyhow::Result;

use crate::Machine;

/// A scenario fails by returning an error.
pub type Scenario = fn(&Machine) -> Result<()>;

/// In the order in which they run. Each uses a runner of its own.
pub const ALL: &[(&str, Scenario)] = &[
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
    ("a_kill_at_each_fault_point_heals_at_the_next_start", faults::each_point),
    ("a_hostile_job_reaches_nothing_of_roots", hostile::reaches_nothing),
    ("a_hostile_state_directory_harms_nobody", hostile::state),
];
