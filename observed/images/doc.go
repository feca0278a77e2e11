// Package images keeps what Docker says of image references, and pulls images.
//
// What it guarantees:
//
//   - Reading never touches Docker: a reference that was never asked for is unknown, and
//     looked at in the background.
//   - One pull a reference at a time, a bounded number over all. A pull that shows no sign of
//     life is ended long before the deadline of the whole.
//   - Changed is called after the news is there to read. A pull that ended well shows its
//     image at the instant at which it stops showing as a pull. How far one has come is told
//     now and then while it comes further, and a pull that is over soon tells its end alone.
//   - What happens to an image in Docker is noticed by its events, and whatever was missed
//     is found again when the stream of events is back. Docker loses events all the same: what
//     is missing is looked for every 5 min, and a twelfth of what is there is looked at.
//   - What nobody needs is forgotten when Retain is told.
package images
