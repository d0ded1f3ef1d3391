"""Tests the grader: right answers pass; soup, echoes and other topics' answers fail.

    python test_evaluation.py
"""

import random
import unittest
from unittest import mock

from dialogues import answering, failing, itself, loading, running, unknown
from evaluation import grade
from evaluation.grade import fault
from evaluation.questions import TALK, questions

TOPICS = {t.name: t for t in (*itself.TOPICS, *loading.TOPICS, *answering.TOPICS, *running.TOPICS, *failing.TOPICS)}
# An answer to the second is one to the first as well.
ALSO = {("delete", "cache"), ("refuse", "cannot")}
QUESTIONS = questions("questions.txt") + questions("development.txt")


class Grader(unittest.TestCase):
    def setUp(self) -> None:
        # Code is parsed once, below: thousands of processes would be too many.
        patch = mock.patch.object(grade, "parses", lambda code: True)
        patch.start()
        self.addCleanup(patch.stop)
        self.rng = random.Random(3)

    def test_right_answers_pass(self) -> None:
        for question in QUESTIONS:
            if question.topic in TOPICS:
                for wording in TOPICS[question.topic].answers:
                    topic = TOPICS[question.topic]
                    answer = wording.replace("[|Ask me about Sidestage!|Just ask me about Sidestage.|What would you like to know?]", "") + (f"\n```js\n{topic.code}\n```" if topic.code else "")
                    self.assertIsNone(fault(question, answer), (question.turns, answer))
            elif question.topic == "refuse":
                for answer in unknown.REFUSALS + unknown.TASK + unknown.CODE + unknown.TRANSLATE + unknown.WRITING + unknown.ADVICE + unknown.LIVE + unknown.SUMS:
                    self.assertIsNone(fault(question, answer), answer)

    def test_other_topics_answers_fail(self) -> None:
        passed = []
        for question in QUESTIONS:
            for name, topic in TOPICS.items():
                if name != question.topic and (question.topic, name) not in ALSO:
                    answer = topic.answer(self.rng)
                    if fault(question, answer) is None:
                        passed.append((question.topic, name))
        self.assertEqual(sorted(set(passed)), [])

    def test_soup_fails(self) -> None:
        for question in QUESTIONS:
            if question.topic == "refuse":
                continue
            keys = [fact[0] for fact in question.facts]
            keys = keys if len(keys) > 3 else keys * 2
            code = "\n```js\nawait loadModel(url);\n```"
            for glue in (" ", ", ", " and ", " and the ", " is ", ". "):
                if question.topic in TALK and glue.strip() not in ("", ","):
                    continue
                soup = glue.join(keys) + "."
                self.assertIsNotNone(fault(question, soup), soup)
                self.assertIsNotNone(fault(question, soup + code), soup)

    def test_shuffled_answers_fail(self) -> None:
        tried = passed = 0
        for topic in TOPICS.values():
            for question in (q for q in QUESTIONS if q.topic == topic.name):
                tokens = topic.answer(self.rng).split()
                self.rng.shuffle(tokens)
                tried, passed = tried + 1, passed + (fault(question, " ".join(tokens)) is None)
        self.assertLess(passed, 0.05 * tried)

    def test_empty_and_echo_fail(self) -> None:
        for question in QUESTIONS:
            text = question.turns[-1]
            for answer in ("", " ", ".", "Yes.", text, f"You ask: {text}", f"{text}."):
                if question.topic == "greet" and len(text) < 30 and "hello" not in answer:
                    continue
                self.assertIsNotNone(fault(question, answer), answer)

    def test_refusals_of_known_things_fail(self) -> None:
        for question in QUESTIONS:
            if question.topic != "refuse":
                for answer in unknown.REFUSALS:
                    self.assertIsNotNone(fault(question, answer), (question.turns, answer))


class Code(unittest.TestCase):
    def test_only_code_parses(self) -> None:
        self.assertTrue(grade.parses("const a = await f();"))
        self.assertFalse(grade.parses("const const = ;"))
        self.assertFalse(grade.parses(""))
        for topic in TOPICS.values():
            if topic.code:
                self.assertTrue(grade.parses(topic.code), topic.code)


if __name__ == "__main__":
    unittest.main()
