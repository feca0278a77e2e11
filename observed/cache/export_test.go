package cache

// Summary is for tests.
var Summary = summary
