# The program of the demo: answers HTTP on port 25565 with what the volume holds.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
$SIG{PIPE} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalPort => 25565, Listen => 16, ReuseAddr => 1)
	or die "cannot listen: $!\n";
print "Hello, listening on port 25565\n";
while (my $client = $server->accept) {
	while (defined(my $line = <$client>)) {
		last if $line =~ /^\r?$/;
	}
	my $notes = "Hello, no notes yet\n";
	if (open my $file, '<', '/home/container/notes.txt') {
		local $/;
		$notes = <$file> // $notes;
	}
	print $client "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", $notes;
	close $client;
}
