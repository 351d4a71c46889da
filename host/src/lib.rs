//! The hookbox server: receives webhooks, verifies and types them, and hands
//! each to the WebAssembly plugins that asked for it.
//!
//! Who may use whom: `cli` → `author`, {`pipeline`, `trial`} → {`admin`, `ingress`, `plugin`} →
//! {`outbound`, `store`} → `config`, `telemetry`, `files`, `notify` → `hookbox_core`. Members of the braces do
//! not know each other; [`pipeline`] is the one place that joins them. `author` uses none of them.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod admin;
pub mod author;
pub mod cli;
pub mod config;
pub mod faults;
pub mod files;
pub mod ingress;
pub mod notify;
pub mod outbound;
pub mod pipeline;
pub mod plugin;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod trial;
