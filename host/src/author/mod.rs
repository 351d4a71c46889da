//! What those who write plugins use: new projects, and builds.
//!
//! - [`project`]: a folder with a plugin's sources, and its language.
//! - [`sources`]: whether its sources changed.
//! - [`template`]: writes a new one; [`vendor`] has what is put inside.
//! - [`bindings`]: what C and Go need to speak to the host, made from its `wit`.
//! - [`build`]: runs the language's own tool; [`component`] makes a component of
//!   a core module.
//!
//! Invariants:
//! - Nothing here needs a network by itself; tools of languages may.
//! - A component is put in place by one rename, so that whoever watches the file
//!   never sees a half of it.

mod bindings;
pub mod build;
pub mod component;
pub mod project;
pub mod sources;
pub mod template;
mod vendor;
