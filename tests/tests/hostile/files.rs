//! Files that are no plugins, or not the ones that they seem to be.

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use hookbox_core::ids::Digest;
use hookbox_tests::{Site, plugin, probe, text};
use rustix::fs::inotify;
use serde_json::Value;

use crate::beside::Beside;
use crate::component;

fn refused(name: &str, expected: &str, says: &str, put: impl FnOnce(&Site) + Send) {
    let (code, error) = Beside::new("", "").refused(name, put);
    assert_eq!(code, expected, "{error}");
    assert!(error.contains(says), "{says:?} is not in {error:?}");
}

fn refused_bytes(name: &str, expected: &str, says: &str, bytes: &[u8]) {
    refused(name, expected, says, |site| site.install("hostile", bytes));
}

/// A component that exports something under the names of the interfaces.
fn exporting(imports: &str) -> Vec<u8> {
    component(&format!(
        r#"(component {imports} (instance $i)
        (export "hookbox:plugin/about@0.1.0" (instance $i))
        (export "hookbox:targetvideo/handler@0.1.0" (instance $i)))"#
    ))
}

#[test]
fn a_file_that_was_cut_off() {
    let bytes = probe(2);
    refused_bytes("truncated", "invalid", "not a valid component", &bytes[..bytes.len() / 2]);
}

#[test]
fn a_file_with_flipped_bits() {
    let mut bytes = probe(2);
    bytes.iter_mut().skip(8).step_by(997).for_each(|byte| *byte ^= 0x10);
    refused_bytes("bit-flipped", "invalid", "not a valid component", &bytes);
}

#[test]
fn an_empty_file() {
    refused_bytes("empty", "empty", "is empty", b"");
}

#[test]
fn a_text_file() {
    refused_bytes("text", "not-wasm", "no WebAssembly", b"#!/bin/sh\necho no plugin\n");
}

#[test]
fn a_core_module() {
    refused_bytes(
        "core module",
        "core-module",
        "`hookbox build FILE --out PLUGIN.wasm`",
        &component("(module)"),
    );
}

#[test]
fn a_component_of_a_version_to_come() {
    let bytes = component(
        r#"(component (instance $i)
        (export "hookbox:plugin/about@0.1.0" (instance $i))
        (export "hookbox:targetvideo/handler@7.0.0" (instance $i)))"#,
    );
    refused_bytes("later version", "world-version", "it speaks hookbox:targetvideo@7.0.0", &bytes);
}

#[test]
fn a_folder() {
    refused("folder", "not-a-file", "not a regular file", |site| {
        fs::create_dir(site.plugin_file("hostile")).expect("a folder");
    });
}

#[test]
fn a_file_whose_compilation_takes_too_much_memory() {
    // One function, since these are compiled whole.
    let body = "(local.set 0 (i32.mul (local.get 0) (i32.load (local.get 0))))".repeat(60_000);
    let module = format!("(memory 1) (func (param i32) {body})");
    let bytes = component(&format!("(component (core module {module}))"));
    // The least that can be set.
    let beside = Beside::new("", "[reload]\ncompile_memory_bytes_max = 268435456\n");
    let (code, error) =
        beside.refused("too much to compile", |site| site.install("hostile", &bytes));
    assert_eq!(code, "compile-limit", "{error}");
    assert!(error.contains("reload.compile_memory_bytes_max, 268435456 bytes"), "{error}");
}

#[test]
fn a_component_of_another_world() {
    let says = "hookbox:targetvideo/handler@0.1.0";
    refused_bytes("other world", "export-missing", says, &component("(component)"));
}

#[test]
fn exports_of_another_type() {
    refused_bytes("wrong export type", "export-type", "describe", &exporting(""));
}

#[test]
fn an_import_that_nobody_has() {
    let import = r#"(import "nowhere:to-be-found/thing" (instance (export "f" (func))))"#;
    let says = "nowhere:to-be-found/thing";
    refused_bytes("unknown import", "import-unknown", says, &exporting(import));
    refused_bytes("outlandish", "import-unknown", says, &plugin("outlandish"));
}

#[test]
fn half_a_gigabyte() {
    let says = "524288000 bytes, over the limit of 134217728: reload.file_bytes_max";
    refused("500 MB", "too-large", says, |site| {
        let file = fs::File::create(site.plugin_file("hostile")).expect("a file");
        // Without taking room on the disk.
        file.set_len(500 << 20).expect("a length");
    });
}

#[test]
fn a_link_that_leaves_the_directory() {
    refused("link out", "outside", "outside of the plugins directory", |site| {
        fs::write(site.path("outside.wasm"), probe(2)).expect("a file");
        symlink(site.path("outside.wasm"), site.plugin_file("hostile")).expect("a link");
    });
}

/// Each time that the host begins to read the file, it is written over in place
/// with another build. What is read then is a mixture of both, which may neither
/// be judged nor go live.
#[test]
fn a_file_that_is_replaced_while_it_is_read() {
    let beside = Beside::new("", "");
    let builds = [padded(probe(2)), padded(probe(3))];
    let digests = builds.each_ref().map(|build| Digest::of(build).short());
    let file = beside.site.plugin_file("hostile");
    beside.site.install("hostile", &builds[0]);
    std::thread::scope(|scope| {
        let first = access(&file);
        scope.spawn(|| {
            let mut next = first;
            for build in builds.iter().rev().cycle().take(REPLACED) {
                wait(next);
                // Of what is read from now on.
                next = access(&file);
                fs::write(&file, build).expect("writing");
            }
        });
        beside.under_load("replaced while read");
    });
    let last = &digests[REPLACED % 2];
    let of_hostile = |line: &Value| text(line, "plugin") == "hostile";
    beside.server.wait(|line| {
        of_hostile(line)
            && text(line, "message") == "plugin is live"
            && text(line, "digest") == last
    });
    for line in beside.server.lines(|line| of_hostile(line) && line.get("digest").is_some()) {
        assert!(digests.iter().any(|whole| whole == text(&line, "digest")), "a mixture: {line}");
    }
}

/// How often it is replaced. An odd number, so that the other build stays.
const REPLACED: usize = 9;

/// Something that tells when a file is read from.
fn access(file: &Path) -> OwnedFd {
    let access = inotify::init(inotify::CreateFlags::CLOEXEC).expect("file events");
    inotify::add_watch(&access, file, inotify::WatchFlags::ACCESS).expect("a watch");
    access
}

fn wait(access: OwnedFd) {
    let mut buffer = [MaybeUninit::uninit(); 1024];
    inotify::Reader::new(access, &mut buffer).next().expect("an event");
}

/// A component that takes some time to read: with 8 MiB of a custom section
/// (component model, binary format), which means nothing.
fn padded(mut component: Vec<u8>) -> Vec<u8> {
    const ZEROS: usize = 8 << 20;
    // Its length and that of its name in LEB128.
    component.extend([0, 0x84, 0x80, 0x80, 0x04, 3, b'p', b'a', b'd']);
    component.resize(component.len() + ZEROS, 0);
    component
}
