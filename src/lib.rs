//! Registers, keeps and renews self-hosted GitHub Actions runners on NixOS.
