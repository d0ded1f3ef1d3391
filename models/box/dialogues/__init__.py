"""What the model in the box can say: small grammars of questions and answers."""
