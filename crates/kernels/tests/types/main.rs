//! `docs/types.md` is what the table of types and the kernels say.

mod table;

#[test]
fn the_page_is_up_to_date() {
    let page = include_str!("../../../../docs/types.md").replace('\r', "");
    let again = "cargo run -p sidestage-kernels --example types > docs/types.md";
    assert!(page == table::text(), "docs/types.md is out of date: {again}");
}
