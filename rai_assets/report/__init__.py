"""The audit for people: one offline HTML file."""
