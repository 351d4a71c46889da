//! The plugin interface as Rust: one file for each released version, each
//! turning core types into its own.

pub mod v0_1_0;
