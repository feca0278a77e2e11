// Package egg reads what Pterodactyl and Pelican know of a kind of server, an egg as their panels export it, and makes
// the spec of a container of it.
//
// The formats are PTDL_v1 and PTDL_v2 (JSON) and PLCN_v1 to PLCN_v3 (JSON and YAML). Nothing of an egg is dropped in
// silence: what a spec cannot express is named, by the path that it has in the egg.
package egg
