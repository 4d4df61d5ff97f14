//! The files of a new project. What the repository has itself is embedded from there: the repository is the first project.
//!
//! * `sources`: the sources file for some presets
//! * `manifest`: the manifests of its packages
//! * `template`: the shipped template without the shipped sources
//! * `events`: sample events of the triggers
//! * `files`: all of it by path

mod events;
mod files;
mod manifest;
mod sources;
mod template;

pub(crate) use files::{File, files};
pub(crate) use manifest::Crates;
pub(crate) use template::of_bundles;
