//! Says which build handled which delivery, and fails on request.
//!
//! The tests make any number of different builds of it by writing over
//! [`BUILD`] in the compiled file, and steer it by the member `probe` of the
//! event's body.

use std::time::Duration;

use hookbox_sdk::{Delivery, Event, Failure, Plugin, RetryLater};

/// Printed with each line. Sought and written over in the file, so it stands
/// there as it is here; volatile, so that no compiler folds it into the code.
static BUILD: [u8; 18] = *b"probe-build-000000";

struct Probe;

impl Plugin for Probe {
    fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {
        // SAFETY: a reference is valid for reads.
        #[expect(unsafe_code, reason = "a volatile read keeps the marker in the data segment")]
        let build = unsafe { std::ptr::read_volatile(&raw const BUILD) };
        println!(
            "{} event={} payload={} extra={} document={} delivery={} attempt={}",
            String::from_utf8_lossy(&build),
            event.name,
            case(&event),
            event.extra.len(),
            event.document.len(),
            delivery.id,
            delivery.attempt
        );
        let asked = event.extra.iter().find(|member| member.pointer == "/probe");
        match asked.map(|member| member.json.trim_matches('"')) {
            Some("reject") => Err(Failure::Reject("asked to reject".to_owned())),
            Some("retry") => Err(Failure::Retry("asked to retry".to_owned())),
            Some("retry-after") => Err(Failure::RetryAfter(RetryLater {
                reason: "asked to retry later".to_owned(),
                after_ms: 1_500,
            })),
            Some("panic") => panic_in_a_function_of_its_own(),
            Some("spin") => loop {
                std::hint::spin_loop();
            },
            Some("sleep") => {
                std::thread::sleep(Duration::from_secs(3_600));
                Ok(())
            }
            Some("allocate") => {
                let mut held: Vec<Vec<u8>> = Vec::new();
                loop {
                    held.push(vec![1; 1 << 20]);
                }
            }
            Some("chatter") => {
                for line in 0..1_000_000 {
                    println!("line {line} of a great many");
                }
                Ok(())
            }
            Some("noise") => {
                eprint!("an error without\u{1b}[31m end of line");
                println!("{}", "x".repeat(100_000));
                Ok(())
            }
            Some("tell") => {
                println!("{}", event.document);
                Err(Failure::Reject(event.document))
            }
            Some("environment") => {
                println!(
                    "variables={} arguments={} root={:?} clock={}",
                    std::env::vars().count(),
                    std::env::args().count(),
                    std::fs::read_dir("/").err().map(|e| e.kind()),
                    std::time::SystemTime::now() > std::time::SystemTime::UNIX_EPOCH,
                );
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

hookbox_sdk::export!(Probe);

/// Whose name the backtrace must have.
#[inline(never)]
#[expect(clippy::panic, reason = "it was asked to")]
fn panic_in_a_function_of_its_own() -> ! {
    panic!("asked to panic")
}

/// The payload's case, as the type names it.
fn case(event: &Event) -> String {
    let shown = format!("{:?}", event.payload);
    let end = shown.find(|c: char| !c.is_alphanumeric() && c != ':').unwrap_or(shown.len());
    shown.get(..end).unwrap_or_default().trim_start_matches("Payload::").to_owned()
}
