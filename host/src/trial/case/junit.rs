//! Results in the form that JUnit made common, for tools that collect them. It is
//! a handful of elements, so they are written here.

use std::fmt::Write as _;
use std::time::Duration;

/// A case that was run.
pub struct Ran {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// How long it took.
    pub took: Duration,
    /// What was not as expected; none: it holds.
    pub differences: Vec<String>,
    /// What the plugin logged.
    pub log: String,
}

/// The document.
///
/// `suite`: what was tested.
pub fn document(suite: &str, cases: &[Ran]) -> String {
    let failed = cases.iter().filter(|case| !case.differences.is_empty()).count();
    let took: Duration = cases.iter().map(|case| case.took).sum();
    let (tests, suite, time) = (cases.len(), escaped(suite), seconds(took));
    let totals = format!("tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" time=\"{time}\"");
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    // Writing to a text does not fail.
    let _ok = writeln!(text, "<testsuites name=\"{suite}\" {totals}>");
    let _ok = writeln!(text, "  <testsuite name=\"{suite}\" skipped=\"0\" {totals}>");
    for case in cases {
        let (name, file, time) = (escaped(&case.name), escaped(&case.file), seconds(case.took));
        let _ok = writeln!(
            text,
            "    <testcase name=\"{name}\" classname=\"{suite}\" file=\"{file}\" time=\"{time}\">"
        );
        if let Some(first) = case.differences.first() {
            let (first, all) = (escaped(first), escaped(&case.differences.join("\n")));
            let _ok = writeln!(text, "      <failure message=\"{first}\">{all}</failure>");
        }
        if !case.log.is_empty() {
            let _ok = writeln!(text, "      <system-out>{}</system-out>", escaped(&case.log));
        }
        text.push_str("    </testcase>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}

/// As text or an attribute of XML 1.0, which has no way to write most control
/// characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_in_the_document_with_nothing_that_breaks_it() {
        let differences = vec!["a < \"b\" & \u{1b}".to_owned(), "more".to_owned()];
        let case = |name: &str, differences| Ran {
            name: name.to_owned(),
            file: "cases/x.toml".to_owned(),
            took: Duration::from_micros(1_500),
            differences,
            log: String::new(),
        };
        let text = document("p<1>", &[case("good", Vec::new()), case("bad", differences)]);
        assert!(
            text.contains("tests=\"2\" failures=\"1\" errors=\"0\" time=\"0.003000\""),
            "{text}"
        );
        let failure = "<failure message=\"a &lt; &quot;b&quot; &amp; \u{fffd}\">";
        assert!(text.contains(failure), "{text}");
        assert!(text.contains("\u{fffd}&#10;more</failure>"), "{text}");
        assert_eq!(text.matches("<testcase ").count(), 2, "{text}");
    }
}
