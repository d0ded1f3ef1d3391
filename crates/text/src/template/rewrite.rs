//! Takes `{% generation %}` tags out of a template.

use std::borrow::Cow;

/// `{% generation %}…{% endgeneration %}` marks what the model wrote, for training. What stands
/// between is rendered as if the tags were not there; white space control at them still counts.
pub(super) fn without_generation_tags(template: &str) -> Cow<'_, str> {
    if !template.contains("generation") {
        return Cow::Borrowed(template);
    }
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag[2..].find("%}").map(|end| end + 2) else {
            rest = tag;
            break;
        };
        let inner = &tag[2..end];
        let name = inner.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        match name {
            "generation" => out.push_str(&tag[..end + 2].replace(name, "if true")),
            "endgeneration" => out.push_str(&tag[..end + 2].replace(name, "endif")),
            _ => out.push_str(&tag[..end + 2]),
        }
        rest = &tag[end + 2..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::without_generation_tags;

    #[test]
    fn an_opening_is_not_its_own_end() {
        assert_eq!(without_generation_tags("generation {%}"), "generation {%}");
    }

    #[test]
    fn only_the_tags_change() {
        let template =
            "{%- generation -%}\n{{ generation }}{% endgeneration %}{% if x %}{% endif %}";
        let expected = "{%- if true -%}\n{{ generation }}{% endif %}{% if x %}{% endif %}";
        assert_eq!(without_generation_tags(template), expected);
        assert_eq!(without_generation_tags("{% generation"), "{% generation");
    }
}
