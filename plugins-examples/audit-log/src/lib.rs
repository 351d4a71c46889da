//! Logs one line for every event: its name, what it is about, the delivery and
//! the attempt. Never the body, which may hold a stream key.

use hookbox_sdk::{Delivery, Event, Failure, Plugin};

struct AuditLog;

impl Plugin for AuditLog {
    fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {
        println!("{}", line(&event, &delivery));
        Ok(())
    }
}

hookbox_sdk::export!(AuditLog);

fn line(event: &Event, delivery: &Delivery) -> String {
    let subject = event.subject().map_or("-".to_owned(), |subject| subject.to_string());
    let (name, id, attempt) = (&event.name, &delivery.id, delivery.attempt);
    if cfg!(feature = "key-value") {
        format!("event={name} subject={subject:?} delivery={id} attempt={attempt}")
    } else {
        format!("{name}: {subject} (delivery {id}, attempt {attempt})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_sdk::testing::{delivery, event, sample};

    #[test]
    fn a_line_names_the_event_its_subject_the_delivery_and_the_attempt() {
        let line = line(&sample("livestream_edit"), &delivery());
        let parts: &[&str] = if cfg!(feature = "key-value") {
            &["event=livestream_edit", "subject=\"livestream 311\"", "attempt=1"]
        } else {
            &["livestream_edit: livestream 311", &delivery().id, "attempt 1"]
        };
        for part in parts {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }

    #[test]
    fn an_event_about_nothing_known_is_logged_too() {
        assert!(line(&event(r#"{"event":"new_thing"}"#), &delivery()).contains("new_thing"));
        assert_eq!(AuditLog::handle(event(r#"{"event":"new_thing"}"#), delivery()), Ok(()));
    }
}
