// Package node answers the routes of what the containers of a node share: the pool of ports, the
// volumes, and the report of drift with the containers of other instances.
package node
