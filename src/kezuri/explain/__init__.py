"""Why steps ran: from the journal to causes and advice."""
