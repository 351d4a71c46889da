//! Each file of the fuzz targets' corpus goes through what the targets check.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hookbox_checks::{body, component, skeleton};

/// The corpus stays small, so that this is an ordinary test.
const FILES_MAX: usize = 200;
const BYTES_MAX: u64 = 1 << 20;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Files of a folder by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Replays a corpus, and holds it against what must become of its files.
fn replay(target: &str, check: fn(&[u8]) -> &'static str, ends: &[&str]) {
    let files = files(&folder("corpus").join(target));
    let bytes: u64 = files.iter().map(|f| fs::metadata(f).expect("a file").len()).sum();
    assert!(files.len() < FILES_MAX, "{} files", files.len());
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for file in &files {
        let end = check(&fs::read(file).expect("a file"));
        println!("{}: {end}", file.display());
        *seen.entry(end).or_default() += 1;
    }
    println!("{target}: {} files, {bytes} bytes: {seen:?}", files.len());
    for end in ends {
        assert!(seen.contains_key(end), "no file of the corpus ends as {end}");
    }
}

#[test]
fn the_corpus_of_bodies_holds() {
    let ends = ["typed", "not-json", "not-an-object", "secret-missing", "too-deep"];
    replay("body", body::check, &ends);
}

#[test]
fn the_corpus_of_components_holds() {
    let ends = ["handled", "trap", "retry-after", "invalid", "export-missing", "import-unknown"];
    replay("component", component::check, &ends);
}

/// What the fuzzer of components starts from: good ones, cut and flipped ones,
/// and files of other kinds. For a corpus that is made anew.
#[test]
#[ignore = "writes into the corpus"]
fn makes_the_seeds() {
    let corpus = folder("corpus/component");
    fs::create_dir_all(&corpus).expect("a folder");
    let put = |name: &str, bytes: &[u8]| fs::write(corpus.join(name), bytes).expect("a file");
    for file in files(&folder("seeds")) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a text");
        let good = skeleton::component_of(&text);
        put(&name, &good);
        put(&format!("{name}-cut"), &good[..good.len() * 2 / 3]);
        let mut flipped = good;
        flipped.iter_mut().skip(64).step_by(997).for_each(|byte| *byte ^= 0x10);
        put(&format!("{name}-flipped"), &flipped);
    }
    let parse = |text: &str| wat::parse_str(text).expect("a valid text");
    put("empty", b"");
    put("text", b"#!/bin/sh\necho no plugin\n");
    put("core", &parse(&skeleton::core("")));
    put("bare", &parse("(component)"));
    let exporting = |imports: &str| {
        parse(&format!(
            r#"(component {imports} (instance $i)
            (export "hookbox:plugin/about@0.1.0" (instance $i))
            (export "hookbox:targetvideo/handler@0.1.0" (instance $i)))"#
        ))
    };
    put("empty-exports", &exporting(""));
    let func = r#"(instance (export "f" (func)))"#;
    put("unknown-import", &exporting(&format!(r#"(import "nowhere:thing/x" {func})"#)));
    // What a made module is made from: any bytes.
    for number in 0..8_u32 {
        let chosen = (0..800_u32).map(|i| {
            let mixed = (i + number * 977).wrapping_mul(2_654_435_761);
            mixed.to_be_bytes()[0]
        });
        put(&format!("made-{number}"), &[vec![b'm'], chosen.collect()].concat());
    }
}
