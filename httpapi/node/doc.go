// Package node answers the routes of what the containers of a node share: the pool of ports, the
// volumes, the report of drift with the containers of other instances, and what the daemon itself is like.
package node
