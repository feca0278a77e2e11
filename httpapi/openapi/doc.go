// Package openapi holds the description of the HTTP interface, OpenAPI 3.1, written by
// hand. Tests hold it to the truth: it is valid, every route, every field and every word is in
// it, and every answer that a test gets conforms to it. Requests and answers share no schema:
// what a request may leave out is in every answer.
package openapi
