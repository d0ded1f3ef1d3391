//! `docs/operators.md`: what models may call, and how many cases of others' suites hold it.

mod counts;
mod page;

/// `SIDESTAGE_OPERATORS=write` writes the page.
#[test]
fn the_page_lists_every_operator_with_its_tests() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
    let old = std::fs::read_to_string(path).unwrap_or_default().replace('\r', "");
    let text = page::text(&old);
    if std::env::var_os("SIDESTAGE_OPERATORS").is_some_and(|value| value == "write") {
        std::fs::write(path, &text).expect("docs/operators.md can be written");
        return;
    }
    let again = "SIDESTAGE_OPERATORS=write cargo test -p sidestage-suite --test operators";
    assert!(old == text, "docs/operators.md is out of date, read the difference after: {again}");
}
