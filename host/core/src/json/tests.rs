#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;

fn leaves(text: &str, budget: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let node = Node::parse(text).expect("JSON");
    node.leaves(budget, &mut |pointer, json| found.push((pointer.to_owned(), json.to_owned())));
    found
}

fn nested(levels: usize) -> String {
    format!("{}7{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn digits_order_and_duplicates_are_kept() {
    let text = r#"{"b":1e400,"a/~":[123456789012345678901234567890,[],{}],"b":"\ud83d\ude00"}"#;
    let expected = [
        ("/b", "1e400"),
        ("/a~1~0/0", "123456789012345678901234567890"),
        ("/a~1~0/1", "[]"),
        ("/a~1~0/2", "{}"),
        ("/b", r#""\ud83d\ude00""#),
    ];
    let found = leaves(text, usize::MAX);
    assert_eq!(found.iter().map(|(p, j)| (&**p, &**j)).collect::<Vec<_>>(), expected);
}

#[test]
fn the_last_of_two_members_is_the_one_that_counts() {
    let node = Node::parse(r#"{"a":1,"a":2}"#).expect("JSON");
    assert_eq!(node.get("a").map(|n| n.raw), Some("2"));
}

#[test]
fn nesting_is_taken_up_to_its_limit() {
    assert!(Node::parse(&nested(NESTING_MAX)).is_ok());
    assert_eq!(Node::parse(&nested(NESTING_MAX + 1)).err(), Some(JsonError::TooDeep));
    assert_eq!(Node::parse(&nested(10_000)).err(), Some(JsonError::TooDeep));
}

#[test]
fn lone_surrogates_are_refused_wherever_they_stand() {
    for text in [r#"{"a":"\ud800"}"#, r#"["\udc00x"]"#, r#"{"\ud800":1}"#, r#"[["\ud800\ud800"]]"#]
    {
        assert_eq!(Node::parse(text).err(), Some(JsonError::LoneSurrogate), "{text}");
    }
}

#[test]
fn long_names_over_many_leaves_do_not_multiply_the_text() {
    let name = "n".repeat(50_000);
    let text = format!(r#"{{"{name}":[{}1]}}"#, "1,".repeat(20_000));
    let found = leaves(&text, 4 * text.len());
    let bytes: usize = found.iter().map(|(pointer, json)| pointer.len() + json.len()).sum();
    assert!(bytes < 6 * text.len(), "{bytes} bytes of {}", text.len());
    assert_eq!(found.len(), 1, "the array stands whole");
}

#[test]
fn white_space_may_stand_wherever_the_grammar_has_it() {
    let text = " { \"a\" : [ 1 , \t{ } ,\n[ ] , \"x\\\"]\" ] ,\r\n \"b\":true } ";
    let expected =
        [("/a/0", "1"), ("/a/1", "{ }"), ("/a/2", "[ ]"), ("/a/3", r#""x\"]""#), ("/b", "true")];
    let found = leaves(text, usize::MAX);
    assert_eq!(found.iter().map(|(p, j)| (&**p, &**j)).collect::<Vec<_>>(), expected);
}

#[test]
fn a_text_that_is_no_json_is_an_error_or_nonsense_and_no_more() {
    let text = r#"{"a":[1,{"b":"c\"\u00e9"},null,-1.5e3],"ä":false}"#;
    for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
        let (before, after) = text.split_at(cut);
        assert!(Node::parse(before).is_err());
        for broken in [
            before.to_owned(),
            after.to_owned(),
            format!("{before}\\ä{after}"),
            format!("{after}{before}"),
        ] {
            let _either_is_fine = Node::parse_valid(&broken);
        }
    }
}
