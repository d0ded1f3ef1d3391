"""The evaluation of the model in the box: questions, the facts that an answer must have, and the grader."""
