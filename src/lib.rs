//! Registers, keeps and renews self-hosted GitHub Actions runners on NixOS.

pub mod manifest;
pub mod model;
pub mod sys;
