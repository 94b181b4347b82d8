import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

/** mongo-java-server with an oplog, which speaks as old a protocol as the driver takes. */
public final class ChangeStreamServer {
    public static void main(String[] arguments) throws Exception {
        MongoBackend backend = new MemoryBackend();
        backend.version(new MongoVersion() {
            public List<Integer> getVersionArray() {
                return List.of(4, 4, 0);
            }

            public int getWireVersion() {
                return 9;
            }
        });
        MongoServer server = new MongoServer(backend);
        server.enableOplog();
        System.out.println(server.bind().getPort());
        // ends with the tests that hold its standard input
        while (System.in.read() != -1) {
        }
        server.shutdownNow();
    }
}
